//! Sessions talk to replicas, event by event.

use curserve_sched::{Config, StepTime};

use crate::events::{Event, Events};
use crate::ledger::{Decision, Ledger};
use crate::policy::Policy;
use crate::record::{Outcome, TurnRecord};
use crate::replica::Replica;
use crate::session::Session;
use crate::workload::Workload;

/// Servers, and what they do with blocks between turns.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Of each replica.
    pub config: Config,
    /// Of each replica.
    pub step_time: StepTime,
    /// How many; a session stays with one, and they are dealt out in turns.
    pub replicas: u32,
    /// Between a session's turns.
    pub policy: Policy,
    /// Plan each step, even where many are alike: slower, and the same. For tests.
    pub step_by_step: bool,
}

/// Let a workload play on a cluster to its end, and keep all turns in the order in which they ended.
pub fn simulate<W: Workload>(workload: &W, cluster: &Cluster) -> (Outcome, Vec<TurnRecord>) {
    let mut turns = Vec::new();
    let outcome = simulate_into(workload, cluster, &mut |turn| turns.push(*turn));
    (outcome, turns)
}

/// Let a workload play on a cluster to its end; each turn that ends goes to `sink` and is forgotten.
pub fn simulate_into<W: Workload>(
    workload: &W,
    cluster: &Cluster,
    sink: &mut dyn FnMut(&TurnRecord),
) -> Outcome {
    let mut simulation = Simulation::new(workload, cluster, sink);
    while let Some((now, replica, event)) = simulation.events.pop() {
        simulation.now = now;
        simulation.replicas[replica as usize].count_blocks(now);
        match event {
            Event::Turn(session) => simulation.arrive(session),
            Event::Step => simulation.step_over(replica),
            Event::Expiry(session, since) => simulation.expire(session, since),
        }
        simulation.go_on(replica, event == Event::Step);
    }
    simulation.close()
}

pub(crate) struct Simulation<'a, W> {
    pub(crate) workload: &'a W,
    pub(crate) cluster: &'a Cluster,
    pub(crate) now: u64,
    pub(crate) events: Events,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) ledgers: Vec<Ledger>,
    pub(crate) sessions: Vec<Session>,
    /// For each replica and slot of its scheduler, the session that has the request there.
    pub(crate) owners: Vec<Vec<u32>>,
    pub(crate) outcome: Outcome,
    pub(crate) sink: &'a mut dyn FnMut(&TurnRecord),
}

impl<'a, W: Workload> Simulation<'a, W> {
    fn new(workload: &'a W, cluster: &'a Cluster, sink: &'a mut dyn FnMut(&TurnRecord)) -> Self {
        let mut events = Events::default();
        for session in 0..workload.sessions() {
            events.plan(
                workload.start_ns(session),
                session % cluster.replicas,
                Event::Turn(session),
            );
        }
        let count = cluster.replicas as usize;
        let (config, places) = (&cluster.config, cluster.config.max_num_seqs);
        Self {
            workload,
            cluster,
            now: 0,
            events,
            replicas: (0..count)
                .map(|_| Replica::new(config.clone(), cluster.step_time))
                .collect(),
            ledgers: (0..count)
                .map(|_| Ledger::new(config.blocks, places))
                .collect(),
            sessions: vec![Session::default(); workload.sessions() as usize],
            owners: vec![Vec::new(); count],
            outcome: Outcome::default(),
            sink,
        }
    }

    pub(crate) fn replica_of(&self, session: u32) -> usize {
        (session % self.cluster.replicas) as usize
    }

    /// A turn's prompt is there.
    fn arrive(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        if session.turn == 0 {
            session.prefix = self.workload.prefix(number);
        }
        let Some(plan) = self.workload.turn(number, session.turn) else {
            return self.leave(number);
        };
        session.say(plan, self.now);
        session.idle_since_ns = None;
        let config = &self.cluster.config;
        let longest = session.tokens() + session.reply;
        let blocks = config.blocks_of(longest + 1);
        if longest > config.max_model_len || blocks > config.blocks {
            self.outcome.too_long += 1;
            return self.leave_unfinished(number);
        }
        if let Policy::Session { .. } = self.cluster.policy {
            let decisions =
                self.ledgers[(number % self.cluster.replicas) as usize].ask(number, blocks);
            self.carry_out(&decisions);
        } else {
            self.begin(number);
        }
    }

    /// Give a turn to the scheduler.
    fn begin(&mut self, number: u32) {
        let replica = self.replica_of(number);
        let session = &mut self.sessions[number as usize];
        session.begun_ns = self.now;
        self.outcome.kept_block_ns += session.used_kept(self.now);
        let scheduler = &mut self.replicas[replica].scheduler;
        if let Some(request) = session.request {
            // The last token of the last reply was sampled and never computed.
            let plan_new = self
                .workload
                .turn(number, session.turn)
                .map_or(0, |plan| plan.new);
            let kept = session.tokens() - plan_new - 1;
            scheduler.next_turn(request, session.ask(number, kept));
            return;
        }
        let keeps = self.cluster.policy.keeps_ns().is_some();
        let request = scheduler.add(session.ask(number, 0), 0, keeps);
        session.request = Some(request);
        let (owners, slot) = (&mut self.owners[replica], request.slot());
        owners.resize(owners.len().max(slot + 1), 0);
        owners[slot] = number;
    }

    pub(crate) fn carry_out(&mut self, decisions: &[Decision]) {
        for &decision in decisions {
            match decision {
                Decision::Grant(session) => self.begin(session),
                Decision::Evict(session) => self.let_go(session),
            }
        }
    }

    /// Let a replica plan, and say when its oldest step will be over; that it was is what `after_step` says.
    fn go_on(&mut self, number: u32, after_step: bool) {
        let replica = &mut self.replicas[number as usize];
        let idle = replica.next_end_ns().is_none();
        replica.plan(self.now);
        if after_step && !self.cluster.step_by_step {
            replica.leap(self.events.next_of_sessions(number).unwrap_or(u64::MAX));
        }
        if let Some(end) = replica.next_end_ns().filter(|_| idle || after_step) {
            self.events.plan(end, number, Event::Step);
        }
    }

    fn close(mut self) -> Outcome {
        self.outcome.work = self.replicas.iter().map(|replica| replica.work).collect();
        self.outcome.stuck =
            self.workload.sessions() - self.outcome.finished - self.outcome.too_long;
        self.outcome
    }
}
