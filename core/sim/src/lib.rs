//! A serving cluster on an event heap: replicas with vLLM's scheduler, sessions that come, talk, and wait for their tools.
//!
//! Times are whole nanoseconds; what happens at one time goes by replica and then by the order in which it was planned; each
//! session has its own chance. So a seed gives the same bytes on any machine and number of threads. docs/SIMULATION.md
//! says what is modelled and what is not.
//!
//! ```
//! use curserve_sched::{Config, StepTime};
//! use curserve_sim::{simulate, Cluster, Start, TurnPlan, Workload};
//!
//! struct Two;
//! impl Workload for Two {
//!     fn sessions(&self) -> u32 { 2 }
//!     fn start(&self, session: u32) -> Start { Start::At(u64::from(session) * 1_000_000) }
//!     fn turn(&self, _session: u32, number: u32) -> Option<TurnPlan> {
//!         (number < 3).then_some(TurnPlan { new: 100, reply: 20, gap_ns: 50_000_000, work_ns: 0 })
//!     }
//! }
//! let step_time = StepTime { base_ps: 6_130_000_000, prefill_ps: 16_200_000, ..StepTime::default() };
//! let (outcome, turns) = simulate(&Two, &Cluster::new(Config::new(1000), step_time));
//! assert_eq!((outcome.finished, turns.len()), (2, 6));
//! ```

mod cells;
mod chance;
mod cluster;
mod endings;
mod events;
mod histogram;
mod leap;
mod ledger;
mod placing;
mod policy;
mod queues;
mod record;
mod replica;
mod router;
mod scripted;
mod session;
mod simulation;
mod tally;
mod tier;
mod workload;

pub use cells::each_cell;
pub use chance::Chance;
pub use cluster::{Cluster, Failure, NextTurn, Offload, Split, Way};
pub use histogram::Histogram;
pub use ledger::{Decision, Ledger};
pub use policy::Policy;
pub use record::{Outcome, SessionRecord, Sink, TurnRecord};
pub use replica::{Replica, Work};
pub use router::Router;
pub use scripted::{Gaps, Place, ScriptTurn, Scripted, Scripts};
pub use session::TEXTS;
pub use simulation::{simulate, simulate_into};
pub use tally::{Metric, Objective, Places, Tally, METRICS};
pub use workload::{Start, TurnPlan, Workload};
