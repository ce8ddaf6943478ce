//! The cluster that is simulated.

use curserve_sched::Config;
use curserve_sim::{Cluster, Failure, NextTurn, Offload, Policy, Router, Split, Way};
use pyo3::prelude::*;

use super::refused::refused;
use crate::sched::StepTime;

/// A cluster as Python says it; times in nanoseconds or picoseconds a token.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Servers {
    blocks: u32,
    block_size: u32,
    max_num_scheduled_tokens: u32,
    max_num_seqs: u32,
    max_model_len: u32,
    enable_prefix_caching: bool,
    async_scheduling: bool,
    replicas: u32,
    policy: (String, u64),
    router: String,
    offload: Option<(u64, u64, u64)>,
    split: Option<(u32, u64, u64, String)>,
    tool_workers: Option<u32>,
    failures: Vec<(u32, u64, u64)>,
    most_sessions: u32,
    step_by_step: bool,
}

impl Servers {
    /// The same in the core's words.
    ///
    /// # Errors
    /// Where there can be no such cluster.
    pub(super) fn cluster(self, step_time: &StepTime) -> PyResult<Cluster> {
        let counts = [
            ("blocks", self.blocks),
            ("block_size", self.block_size),
            ("max_num_scheduled_tokens", self.max_num_scheduled_tokens),
            ("max_num_seqs", self.max_num_seqs),
            ("max_model_len", self.max_model_len),
            ("replicas", self.replicas),
        ];
        for (name, value) in counts {
            if value == 0 || value > 1 << 30 {
                return Err(refused(format!(
                    "{name} is {value}: 1 to 2**30 is possible"
                )));
            }
        }
        let policy = match self.policy {
            (name, _) if name == "request" => Policy::Request,
            (name, idle_ns) if name == "session" => Policy::Session { idle_ns },
            (name, keep_ns) if name == "ttl" => Policy::TimeToLive { keep_ns },
            (name, _) => return Err(refused(format!("policy {name}: request, session or ttl"))),
        };
        let router = match self.router.as_str() {
            "dealt" => Router::Dealt,
            "round-robin" => Router::RoundRobin,
            "least-loaded" => Router::LeastLoaded,
            "affinity" => Router::Affinity,
            "prefix" => Router::PrefixAware,
            other => return Err(refused(format!("router {other} is unknown"))),
        };
        let split = match self.split {
            None => None,
            Some((prefill, token_ps, latency_ns, next)) => {
                if prefill == 0 || prefill >= self.replicas || policy != Policy::Request {
                    return Err(refused(
                        "disaggregation: at least one replica of either kind, and policy request"
                            .to_owned(),
                    ));
                }
                let next = match next.as_str() {
                    "recompute" => NextTurn::Recompute,
                    "transfer" => NextTurn::TransferBack,
                    "append" => NextTurn::Append,
                    other => return Err(refused(format!("next turn {other} is unknown"))),
                };
                let way = way(token_ps, latency_ns);
                Some(Split { prefill, way, next })
            }
        };
        let failures = self.failures.iter().map(|&(replica, at_ns, down_ns)| {
            if replica < self.replicas {
                Ok(Failure {
                    replica,
                    at_ns,
                    down_ns,
                })
            } else {
                Err(refused(format!(
                    "a failure of replica {replica} of {}",
                    self.replicas
                )))
            }
        });
        let failures = failures.collect::<PyResult<_>>()?;
        let config = Config {
            block_size: self.block_size,
            enable_prefix_caching: self.enable_prefix_caching,
            max_num_scheduled_tokens: self.max_num_scheduled_tokens,
            max_num_seqs: self.max_num_seqs,
            max_model_len: self.max_model_len,
            async_scheduling: self.async_scheduling,
            ..Config::new(self.blocks)
        };
        Ok(Cluster {
            replicas: self.replicas,
            policy,
            router,
            offload: self.offload.map(|(blocks, token_ps, latency_ns)| Offload {
                blocks,
                way: way(token_ps, latency_ns),
            }),
            split,
            tool_workers: self.tool_workers,
            failures,
            most_sessions: self.most_sessions,
            step_by_step: self.step_by_step,
            ..Cluster::new(config, step_time.0)
        })
    }
}

fn way(token_ps: u64, latency_ns: u64) -> Way {
    Way {
        token_ps,
        latency_ns,
    }
}
