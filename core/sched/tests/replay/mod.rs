//! A recorded workload: what a scheduler was asked in which order, and what it answered. One JSON object a line.

use std::collections::HashMap;

use curserve_sched::{Config, End, Kv, Policy, RequestId, Scheduler, Segment, Step, Turn};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Workload {
    pub vllm: String,
    pub seed: u64,
    config: Limits,
    ops: Vec<Op>,
}

#[derive(Clone, Debug, Deserialize)]
struct Limits {
    blocks: u32,
    block_size: u32,
    caching: bool,
    scheduled: u32,
    seqs: u32,
    length: u32,
    chunked: bool,
    reserve: bool,
    watermark: u32,
    threshold: u32,
    fair_share_of: u32,
    priority: bool,
    asynchronous: bool,
}

impl From<Limits> for Config {
    fn from(limits: Limits) -> Self {
        Config {
            blocks: limits.blocks,
            block_size: limits.block_size,
            enable_prefix_caching: limits.caching,
            max_num_scheduled_tokens: limits.scheduled,
            max_num_seqs: limits.seqs,
            max_model_len: limits.length,
            enable_chunked_prefill: limits.chunked,
            scheduler_reserve_full_isl: limits.reserve,
            watermark_blocks: limits.watermark,
            long_prefill_token_threshold: limits.threshold,
            fair_share_of: limits.fair_share_of,
            policy: if limits.priority {
                Policy::Priority
            } else {
                Policy::Fcfs
            },
            async_scheduling: limits.asynchronous,
        }
    }
}

/// Arrival, tokens of the reply, where the reply is from, and the new text as (stream, offset, tokens).
#[derive(Debug, Deserialize)]
struct Ask(u64, u32, (u64, u32), Vec<(u64, u32, u32)>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Op {
    /// Name, priority, whether a session, and the first turn.
    Add(u32, i32, bool, Ask),
    Next(u32, Ask),
    Close(u32),
    Abort(u32),
    Plan(Planned),
    /// What the oldest planned step gave: (name, tokens of the reply so far, how the turn ended).
    Update(Vec<(u32, u32, String)>),
}

#[derive(Debug, Deserialize, Eq, PartialEq)]
struct Planned {
    /// (name, computed before, tokens, whether a token is sampled)
    batch: Vec<(u32, u32, u32, bool)>,
    preempted: Vec<u32>,
    evicted: u64,
    hit: u64,
    free: u32,
    running: Vec<u32>,
    holding: Vec<u32>,
    waiting: Vec<u32>,
}

impl From<&Ask> for Turn {
    fn from(Ask(arrival, max_tokens, reply, prompt): &Ask) -> Self {
        let segment = |&(stream, offset, tokens)| Segment {
            stream,
            offset,
            tokens,
        };
        let prompt = prompt.iter().map(segment).collect();
        Turn {
            prompt,
            reply: *reply,
            max_tokens: *max_tokens,
            arrival: *arrival,
            external: 0,
        }
    }
}

/// Ask a scheduler the same, and compare what it answers; says where the two part, and how.
pub fn replay<K: Kv>(workload: &Workload) -> Result<(), String> {
    let mut scheduler = Scheduler::<K>::new(workload.config.clone().into());
    let mut ids: HashMap<u32, RequestId> = HashMap::new();
    let mut names: HashMap<RequestId, u32> = HashMap::new();
    let mut flying: Vec<Step> = Vec::new();
    for (place, op) in workload.ops.iter().enumerate() {
        let differ = |what: &dyn std::fmt::Debug, ours: &dyn std::fmt::Debug| {
            format!(
                "seed {}, op {place}:\n vllm {what:?}\n ours {ours:?}",
                workload.seed
            )
        };
        match op {
            Op::Add(name, priority, session, ask) => {
                let id = scheduler.add(ask.into(), *priority, *session);
                ids.insert(*name, id);
                names.insert(id, *name);
            }
            Op::Next(name, ask) => scheduler.next_turn(ids[name], ask.into()),
            Op::Close(name) => scheduler.close(ids[name]),
            Op::Abort(name) => scheduler.abort(ids[name]),
            Op::Plan(theirs) => {
                let step = scheduler.schedule();
                let mut preempted: Vec<u32> = step.preempted.iter().map(|id| names[id]).collect();
                preempted.sort_unstable();
                let part = |p: &curserve_sched::Scheduled| {
                    (names[&p.request], p.computed, p.tokens, p.samples)
                };
                let ours = Planned {
                    batch: step.batch.iter().map(part).collect(),
                    preempted,
                    evicted: step.evicted,
                    hit: step.hit_tokens,
                    free: scheduler.free_blocks(),
                    running: scheduler.running().iter().map(|id| names[id]).collect(),
                    holding: scheduler.holding().map(|id| names[&id]).collect(),
                    waiting: scheduler.waiting().map(|id| names[&id]).collect(),
                };
                if ours != *theirs {
                    return Err(differ(theirs, &ours));
                }
                if !step.batch.is_empty() {
                    flying.push(step);
                }
            }
            Op::Update(theirs) => {
                let step = flying.remove(0);
                let end = |end| match end {
                    None => "",
                    Some(End::Finished) => "finished",
                    Some(End::Paused) => "paused",
                    Some(End::Continued) => "continued",
                };
                let ours: Vec<(u32, u32, String)> = scheduler
                    .update(&step)
                    .iter()
                    .map(|sampled| {
                        (
                            names[&sampled.request],
                            sampled.outputs,
                            end(sampled.end).to_owned(),
                        )
                    })
                    .collect();
                if ours != *theirs {
                    return Err(differ(theirs, &ours));
                }
            }
        }
    }
    Ok(())
}
