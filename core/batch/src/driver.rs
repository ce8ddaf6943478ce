//! The scheduler and the streams of its requests: steps are planned, end when they are due, and their tokens are written.

use std::collections::{HashMap, VecDeque};
use std::io;

use curserve_pacer::now_ns;
use curserve_sched::{Config, End, RequestId, RunCache, Scheduler, Segment, Step, StepTime, Turn};

use crate::asked::{Asked, Served, Tick};
use crate::output::Output;

/// A step begins when the one before it was due, though the thread woke later; but not later than this: a server that was
/// stopped does not make up for it.
const GRACE_NS: u64 = 2_000_000;

#[derive(Debug)]
pub(crate) struct Driver {
    config: Config,
    scheduler: Scheduler<RunCache>,
    step_time: StepTime,
    flying: VecDeque<Flight>,
    active: HashMap<RequestId, Active>,
    conversations: HashMap<u64, Conversation>,
    /// Turns whose last bytes the kernel has not taken yet.
    draining: Vec<Active>,
    /// Turns that are over.
    pub done: Vec<(u64, Served)>,
    pub ticks: Vec<Tick>,
    /// When the last planned step ends, while there is no gap.
    busy_until_ns: Option<u64>,
    renamed: u64,
}

#[derive(Debug)]
struct Flight {
    step: Step,
    end_ns: u64,
}

#[derive(Debug)]
struct Active {
    number: u64,
    output: Output,
    served: Served,
    asked_ns: u64,
    began: bool,
    stream: u64,
}

/// What the server knows of a conversation between its turns.
#[derive(Clone, Copy, Debug)]
struct Conversation {
    /// The name of its text: another one, once its history was rewritten.
    text: u64,
    /// Tokens of its last prompt and reply.
    tokens: u32,
    /// The session that keeps its blocks.
    session: Option<RequestId>,
}

impl Driver {
    pub fn new(config: Config, step_time: StepTime) -> Self {
        Self {
            scheduler: Scheduler::new(config.clone()),
            config,
            step_time,
            flying: VecDeque::new(),
            active: HashMap::new(),
            conversations: HashMap::new(),
            draining: Vec::new(),
            done: Vec::new(),
            ticks: Vec::new(),
            busy_until_ns: None,
            renamed: 1 << 63,
        }
    }

    /// Say why a turn can never run, if so: it would wait for ever, and all behind it.
    ///
    /// # Errors
    /// That reason.
    pub fn check(config: &Config, asked: &Asked) -> Result<(), String> {
        let whole = asked.prompt_tokens.saturating_add(asked.tokens);
        let blocks = config.blocks_of(whole);
        if asked.tokens == 0 || asked.prompt_tokens == 0 {
            return Err("a turn has a prompt and a reply of a token at least".into());
        }
        if whole > config.max_model_len {
            return Err(format!(
                "prompt and reply are {whole} tokens; the model takes {}",
                config.max_model_len
            ));
        }
        if blocks + config.watermark_blocks > config.blocks {
            return Err(format!(
                "prompt and reply take {blocks} blocks of KV memory; the server has {}",
                config.blocks
            ));
        }
        if !asked.cuts.windows(2).all(|pair| pair[0] <= pair[1])
            || asked.cuts.last().copied().unwrap_or(0) != asked.data.len()
        {
            return Err("cuts must ascend and end at the end of the data".into());
        }
        Ok(())
    }

    /// Take a turn, that came at `at_ns`.
    pub fn add(&mut self, number: u64, asked: Asked, at_ns: u64) {
        let stream = asked.stream;
        let known = self.conversations.get(&stream).copied();
        let goes_on = known.filter(|known| known.tokens <= asked.prompt_tokens);
        let text = match (known, goes_on) {
            (_, Some(known)) => known.text,
            (None, None) => stream,
            (Some(_), None) => {
                self.renamed += 1;
                self.renamed
            }
        };
        if let Some(Conversation {
            session: Some(old), ..
        }) = known.filter(|_| goes_on.is_none())
        {
            self.scheduler.close(old);
        }
        let whole = Turn {
            prompt: vec![segment(text, 0, asked.prompt_tokens)],
            reply: (text, asked.prompt_tokens),
            max_tokens: asked.tokens,
            arrival: at_ns,
            external: 0,
        };
        let id = match goes_on.and_then(|known| Some((known.tokens, known.session?))) {
            Some((tokens, id)) => {
                // The last sampled token was never computed: it stands in front of what is new.
                let new = segment(text, tokens - 1, asked.prompt_tokens - tokens + 1);
                self.scheduler.next_turn(
                    id,
                    Turn {
                        prompt: vec![new],
                        ..whole
                    },
                );
                id
            }
            None => self.scheduler.add(whole, 0, asked.session),
        };
        self.conversations.insert(
            stream,
            Conversation {
                text,
                tokens: asked.prompt_tokens + asked.tokens,
                session: asked.session.then_some(id),
            },
        );
        let tokens = asked.tokens as usize;
        let mut output = Output::new(asked.fd, asked.lead, &asked.data, asked.cuts, tokens);
        let error = output.flush().err();
        let served = Served::default();
        let active = Active {
            number,
            output,
            served,
            asked_ns: at_ns,
            began: false,
            stream,
        };
        match error {
            None => {
                self.active.insert(id, active);
            }
            Some(error) => self.fail(id, active, error),
        }
    }

    /// Forget a conversation; a session lets go of its blocks.
    pub fn forget(&mut self, stream: u64) {
        if let Some(Conversation {
            session: Some(id), ..
        }) = self.conversations.remove(&stream)
        {
            self.scheduler.close(id);
        }
    }

    /// Plan steps as far ahead as may be; return when the first of them ends, None if there is nothing to do.
    pub fn plan(&mut self, now_ns: u64) -> Option<u64> {
        let depth = if self.config.async_scheduling { 2 } else { 1 };
        while self.flying.len() < depth {
            let step = self.scheduler.schedule();
            for id in &step.preempted {
                if let Some(active) = self.active.get_mut(id) {
                    active.served.preemptions += 1;
                }
            }
            if step.batch.is_empty() {
                if step.preempted.is_empty() {
                    break;
                }
                continue; // who was preempted may fit now
            }
            let begin_ns = match self.busy_until_ns {
                Some(until) => until.max(now_ns.saturating_sub(GRACE_NS)),
                None => now_ns,
            };
            let step_ns = self.step_time.ns(&step.load());
            self.note(&step, begin_ns, step_ns);
            self.busy_until_ns = Some(begin_ns + step_ns);
            self.flying.push_back(Flight {
                step,
                end_ns: begin_ns + step_ns,
            });
        }
        let next = self.flying.front().map(|flight| flight.end_ns);
        if next.is_none() {
            self.busy_until_ns = None;
        }
        next
    }

    fn note(&mut self, step: &Step, begin_ns: u64, step_ns: u64) {
        for part in &step.batch {
            let Some(active) = self.active.get_mut(&part.request) else {
                continue;
            };
            if !active.began {
                active.began = true;
                active.served.queued_ns = begin_ns.saturating_sub(active.asked_ns);
                active.served.cached_tokens = u64::from(part.computed);
            }
            if !part.decodes() {
                active.served.computed_tokens += u64::from(part.tokens);
            }
        }
        let load = step.load();
        let paused = || {
            self.conversations
                .values()
                .filter_map(|conversation| conversation.session)
                .filter(|id| !self.active.contains_key(id))
        };
        let running = self.scheduler.running().len();
        let waiting = self.active.len().saturating_sub(running);
        self.ticks.push(Tick {
            begin_ns,
            step_ns,
            running: running as u32,
            waiting: waiting as u32,
            paused: paused().count() as u32,
            prefill_tokens: load.prefill_tokens,
            decodes: load.decodes,
            kv_tokens: load.kv_tokens,
            held_blocks: self.config.blocks - self.scheduler.free_blocks(),
            paused_blocks: paused().map(|id| self.scheduler.blocks_of(id)).sum(),
            idle_blocks: self.scheduler.idle_blocks(),
            evicted: step.evicted,
            preempted: step.preempted.len() as u32,
            hit_tokens: step.hit_tokens,
        });
    }

    /// Let the oldest step be over: write what it sampled.
    pub fn finish(&mut self) {
        let Some(flight) = self.flying.pop_front() else {
            return;
        };
        for sampled in self.scheduler.update(&flight.step) {
            let id = sampled.request;
            let Some(active) = self.active.get_mut(&id) else {
                continue;
            };
            let last = sampled.end.is_some();
            active.output.token(sampled.outputs as usize - 1, last);
            if active.served.starts.is_empty() {
                active.served.first_due_ns = flight.end_ns;
            }
            active.served.last_due_ns = flight.end_ns;
            active.served.starts.push(now_ns());
            let error = active.output.flush().err();
            if error.is_none() && !last {
                continue;
            }
            let active = self.active.remove(&id).expect("it was there");
            match error {
                Some(error) => self.fail(id, active, error),
                None if active.output.is_done() => self.end(active),
                None => self.draining.push(active),
            }
            if sampled.end == Some(End::Continued) {
                debug_assert!(false, "a turn is asked for when the one before it is over");
            }
        }
    }

    /// Write on where a client was slow; return whether somebody still is.
    pub fn drain(&mut self) -> bool {
        for mut active in std::mem::take(&mut self.draining) {
            match active.output.flush() {
                Ok(()) if active.output.is_done() => self.end(active),
                Ok(()) => self.draining.push(active),
                Err(error) => {
                    active.served.error = Some(error);
                    self.end(active);
                }
            }
        }
        !self.draining.is_empty()
    }

    /// End everything, with an error.
    pub fn stop(&mut self) {
        let left: Vec<Active> = self.active.drain().map(|(_, active)| active).collect();
        for mut active in left.into_iter().chain(std::mem::take(&mut self.draining)) {
            active.served.error = Some(io::Error::new(
                io::ErrorKind::Interrupted,
                "the server was stopped",
            ));
            self.end(active);
        }
    }

    fn fail(&mut self, id: RequestId, mut active: Active, error: io::Error) {
        self.scheduler.abort(id);
        self.conversations.remove(&active.stream);
        active.served.error = Some(error);
        self.end(active);
    }

    fn end(&mut self, mut active: Active) {
        active.served.done_ns = now_ns();
        active.served.bytes = active.output.sent();
        self.done.push((active.number, active.served));
    }
}

fn segment(stream: u64, offset: u32, tokens: u32) -> Segment {
    Segment {
        stream,
        offset,
        tokens,
    }
}
