//! Sessions talk to replicas, event by event.

use curserve_sched::Segment;

use crate::cluster::Cluster;
use crate::events::{Event, Events};
use crate::ledger::{Decision, Ledger};
use crate::policy::Policy;
use crate::queues::{Carrier, Workers};
use crate::record::{Outcome, Sink, TurnRecord};
use crate::replica::Replica;
use crate::router::Dealer;
use crate::session::{Session, Stage};
use crate::tier::Tier;
use crate::workload::{Start, Workload};

/// Let a workload play on a cluster to its end, and keep all turns in the order in which they ended.
pub fn simulate<W: Workload>(workload: &W, cluster: &Cluster) -> (Outcome, Vec<TurnRecord>) {
    let mut turns = Vec::new();
    let outcome = simulate_into(workload, cluster, &mut |turn: &TurnRecord| {
        turns.push(*turn);
    });
    (outcome, turns)
}

/// Let a workload play on a cluster to its end; what ends goes to `sink` and is forgotten.
pub fn simulate_into<W: Workload>(workload: &W, cluster: &Cluster, sink: &mut dyn Sink) -> Outcome {
    let mut simulation = Simulation::new(workload, cluster, sink);
    while let Some((now, event)) = simulation.events.pop() {
        simulation.now = now;
        match event {
            Event::Turn(session) => simulation.arrive(session),
            Event::Again(session) => simulation.place(session),
            Event::Expiry(session, since) => simulation.expire(session, since),
            Event::Loaded(replica, failures, request) => {
                simulation.loaded(replica, failures, request);
            }
            Event::Failure(replica, down_ns) => simulation.fail(replica, down_ns),
            Event::Step(replica, plan) => simulation.step_over(replica, plan),
        }
        simulation.settle();
        if simulation.outcome.most_present > cluster.most_sessions {
            simulation.outcome.overrun = true;
            break;
        }
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
    pub(crate) tiers: Vec<Tier>,
    /// What loads into each replica: its own tier, or what lies between all replicas.
    pub(crate) carriers: Vec<Carrier>,
    pub(crate) workers: Option<Workers>,
    pub(crate) sessions: Vec<Session>,
    /// Sessions that come by themselves, the last to come first.
    arrivals: Vec<(u64, u32)>,
    pub(crate) present: u32,
    /// For each replica and slot of its scheduler, the session that has the request there.
    pub(crate) owners: Vec<Vec<u32>>,
    pub(crate) dealers: [Dealer; 2],
    /// Replicas that the present event changes.
    touched: Vec<u32>,
    pub(crate) outcome: Outcome,
    pub(crate) sink: &'a mut dyn Sink,
}

impl<'a, W: Workload> Simulation<'a, W> {
    fn new(workload: &'a W, cluster: &'a Cluster, sink: &'a mut dyn Sink) -> Self {
        let mut events = Events::default();
        for failure in &cluster.failures {
            events.plan(
                failure.at_ns,
                Event::Failure(failure.replica, failure.down_ns),
            );
        }
        let mut arrivals: Vec<(u64, u32)> = (0..workload.sessions())
            .filter_map(|session| match workload.start(session) {
                Start::At(ns) => Some((ns, session)),
                Start::After(..) => None,
            })
            .collect();
        arrivals.sort_unstable_by(|one, other| other.cmp(one));
        let (config, count) = (&cluster.config, cluster.replicas as usize);
        let each = |number: usize| 0..number;
        let carriers = match (&cluster.split, &cluster.offload) {
            (Some(split), _) => vec![Carrier::new(split.way); 2],
            (None, Some(offload)) => vec![Carrier::new(offload.way); count],
            (None, None) => Vec::new(),
        };
        let tiers = cluster.offload.filter(|_| cluster.split.is_none());
        let mut simulation = Self {
            workload,
            cluster,
            now: 0,
            events,
            replicas: each(count)
                .map(|_| Replica::new(config.clone(), cluster.step_time))
                .collect(),
            ledgers: each(count)
                .map(|_| Ledger::new(config.blocks, config.max_num_seqs))
                .collect(),
            tiers: tiers.map_or_else(Vec::new, |tier| {
                each(count).map(|_| Tier::new(tier.blocks)).collect()
            }),
            carriers,
            workers: cluster.tool_workers.map(Workers::new),
            sessions: vec![Session::default(); workload.sessions() as usize],
            arrivals,
            present: 0,
            owners: vec![Vec::new(); count],
            dealers: <[Dealer; 2]>::default(),
            touched: Vec::new(),
            outcome: Outcome::default(),
            sink,
        };
        simulation.expect_arrival();
        simulation
    }

    /// Plan the arrival of the session that comes next by itself.
    fn expect_arrival(&mut self) {
        if let Some((ns, session)) = self.arrivals.pop() {
            self.events.plan(ns, Event::Turn(session));
        }
    }

    /// A replica, up to now, to be changed.
    pub(crate) fn at(&mut self, replica: u32) -> &mut Replica {
        let found = &mut self.replicas[replica as usize];
        if !self.touched.contains(&replica) {
            found.catch_up(self.now);
            self.touched.push(replica);
        }
        found
    }

    /// A turn's prompt is there.
    fn arrive(&mut self, number: u32) {
        let session = &mut self.sessions[number as usize];
        if session.turn == 0 {
            session.prefix = self.workload.prefix(number);
            session.started_ns = self.now;
            self.present += 1;
            self.outcome.most_present = self.outcome.most_present.max(self.present);
            if matches!(self.workload.start(number), Start::At(_)) {
                self.expect_arrival();
            }
        }
        let session = &mut self.sessions[number as usize];
        let Some(plan) = self.workload.turn(number, session.turn) else {
            return self.leave(number);
        };
        session.say(plan, self.now);
        if let Some(text) = self.workload.text(number, session.turn) {
            session.own = text.iter().map(|segment| segment.tokens).sum();
        }
        session.idle_since_ns = None;
        let config = &self.cluster.config;
        let longest = session.tokens() + session.reply;
        let blocks = config.blocks_of(longest + 1);
        if longest > config.max_model_len || blocks > config.blocks {
            self.outcome.too_long += 1;
            return self.leave_unfinished(number, false);
        }
        self.place(number);
    }

    /// Choose a replica for a turn, and ask it.
    pub(crate) fn place(&mut self, number: u32) {
        if self.sessions[number as usize].request.is_none() && !self.route(number) {
            return;
        }
        let session = &self.sessions[number as usize];
        if let Policy::Session { .. } = self.cluster.policy {
            let blocks = self
                .cluster
                .config
                .blocks_of(session.tokens() + session.reply + 1);
            let decisions = self.ledgers[session.at as usize].ask(number, blocks);
            self.carry_out(&decisions);
        } else {
            self.begin(number);
        }
    }

    /// Give a turn to the scheduler.
    pub(crate) fn begin(&mut self, number: u32) {
        let external = self.external(number);
        let now = self.now;
        let session = &mut self.sessions[number as usize];
        session.begun_ns = now;
        (session.admitted_ns, session.cached, session.preemptions) = (None, 0, 0);
        self.outcome.kept_block_ns += session.used_kept(now);
        if session.stage == Stage::Asking {
            session.stage = Stage::Served;
        }
        let (at, request) = (session.at, session.request);
        if let Some(request) = request {
            // The last token of the last reply was sampled and never computed.
            let kept = session.tokens() - session.new - 1;
            let turn = session.ask(number, session.text(number, kept), 0);
            let replica = self.at(at);
            replica.active += 1;
            return replica.scheduler.next_turn(request, turn);
        }
        let session = &self.sessions[number as usize];
        let turn = session.ask(number, self.prompt(number), external);
        let keeps = self.cluster.policy.keeps_ns().is_some();
        let replica = self.at(at);
        replica.active += 1;
        let request = replica.scheduler.add(turn, 0, keeps);
        self.sessions[number as usize].request = Some(request);
        let (owners, slot) = (&mut self.owners[at as usize], request.slot());
        owners.resize(owners.len().max(slot + 1), 0);
        owners[slot] = number;
    }

    /// The whole text in front of a turn's reply.
    pub(crate) fn prompt(&self, number: u32) -> Vec<Segment> {
        let session = &self.sessions[number as usize];
        match self.workload.text(number, session.turn) {
            Some(text) => text,
            None => session.text(number, 0),
        }
    }

    pub(crate) fn carry_out(&mut self, decisions: &[Decision]) {
        for &decision in decisions {
            match decision {
                Decision::Grant(session) => self.begin(session),
                Decision::Evict(session) => self.let_go(session),
            }
        }
    }

    /// Let the replicas that were changed plan, and say when something happens at them next.
    fn settle(&mut self) {
        while let Some(number) = self.touched.pop() {
            let replica = &mut self.replicas[number as usize];
            replica.plan(self.now);
            let owners = &self.owners[number as usize];
            for request in replica.preempted.drain(..) {
                self.sessions[owners[request.slot()] as usize].preemptions += 1;
            }
            for (request, cached) in replica.admitted.drain(..) {
                let session = &mut self.sessions[owners[request.slot()] as usize];
                if session.admitted_ns.is_none() {
                    (session.admitted_ns, session.cached) = (Some(self.now), cached);
                }
            }
            for (request, tokens) in replica.loads.drain(..) {
                let of = match self.cluster.split {
                    Some(split) => usize::from(number >= split.prefill),
                    None => number as usize,
                };
                let done_ns = self.carriers[of].carry(self.now, tokens);
                replica.work.loaded_tokens += u64::from(tokens);
                let event = Event::Loaded(number, replica.failures, request);
                self.events.plan(done_ns, event);
            }
            if !self.cluster.step_by_step {
                replica.look_ahead();
            }
            let end = replica.next_end_ns();
            if end != replica.planned_ns {
                replica.planned_ns = end;
                replica.plans += 1;
                if let Some(end) = end {
                    self.events.plan(end, Event::Step(number, replica.plans));
                }
            }
        }
    }

    fn close(mut self) -> Outcome {
        self.outcome.work = self.replicas.iter().map(|replica| replica.work).collect();
        if !self.outcome.overrun {
            self.outcome.stuck =
                self.workload.sessions() - self.outcome.finished - self.outcome.too_long;
        }
        self.outcome
    }
}
