//! What ends: a step, a turn, the time that blocks are kept, a session.

use curserve_sched::{End, Sampled};

use crate::events::Event;
use crate::policy::Policy;
use crate::record::TurnRecord;
use crate::simulation::Simulation;
use crate::workload::Workload;

impl<W: Workload> Simulation<'_, W> {
    pub(crate) fn step_over(&mut self, replica: u32) {
        let (finished, owners) = (
            self.replicas[replica as usize].finish(),
            &self.owners[replica as usize],
        );
        // First who they are: what follows may put other requests in the places of those that are gone.
        let of: Vec<u32> = finished
            .iter()
            .map(|sampled| owners[sampled.request.slot()])
            .collect();
        for (sampled, number) in finished.into_iter().zip(of) {
            if sampled.outputs == 1 {
                self.sessions[number as usize].first_ns = self.now;
            }
            if let Some(end) = sampled.end {
                self.turn_over(number, &sampled, end);
            }
        }
    }

    fn turn_over(&mut self, number: u32, sampled: &Sampled, end: End) {
        let (replica, now) = (self.replica_of(number), self.now);
        let session = &mut self.sessions[number as usize];
        (self.sink)(&TurnRecord {
            session: number,
            turn: session.turn,
            arrived_ns: session.arrived_ns,
            begun_ns: session.begun_ns,
            first_ns: session.first_ns,
            last_ns: now,
            prompt: session.tokens(),
            reply: sampled.outputs,
        });
        self.outcome.turns += 1;
        self.outcome.end_ns = now;
        session.own += sampled.outputs;
        session.turn += 1;
        if end == End::Finished {
            session.request = None;
        }
        let blocks = self.cluster.config.blocks_of(session.tokens() + 1);
        if self.workload.turn(number, session.turn).is_none() {
            return self.leave(number);
        }
        self.events
            .plan(now + session.gap_ns, replica as u32, Event::Turn(number));
        let Some(keeps) = self.cluster.policy.keeps_ns() else {
            return;
        };
        session.idle_since_ns = Some(now);
        let kept = session.request.map_or(0, |request| {
            self.replicas[replica].scheduler.blocks_of(request)
        });
        session.kept = Some((kept, now));
        if keeps < session.gap_ns {
            self.events
                .plan(now + keeps, replica as u32, Event::Expiry(number, now));
        }
        if let Policy::Session { .. } = self.cluster.policy {
            let decisions = self.ledgers[replica].park(number, blocks);
            self.carry_out(&decisions);
        }
    }

    pub(crate) fn expire(&mut self, number: u32, since_ns: u64) {
        if self.sessions[number as usize].idle_since_ns != Some(since_ns) {
            return;
        }
        self.let_go(number);
        let replica = self.replica_of(number);
        let decisions = self.ledgers[replica].release(number);
        self.carry_out(&decisions);
    }

    pub(crate) fn leave(&mut self, number: u32) {
        self.outcome.finished += 1;
        self.leave_unfinished(number);
    }

    pub(crate) fn leave_unfinished(&mut self, number: u32) {
        let replica = self.replica_of(number);
        let session = &mut self.sessions[number as usize];
        self.outcome.kept_block_ns += session.used_kept(self.now);
        if let Some(request) = session.request.take() {
            self.replicas[replica].scheduler.close(request);
        }
        let decisions = self.ledgers[replica].release(number);
        self.carry_out(&decisions);
    }

    /// Let the blocks of an idle session join the free ones.
    pub(crate) fn let_go(&mut self, number: u32) {
        let replica = self.replica_of(number);
        let session = &mut self.sessions[number as usize];
        session.idle_since_ns = None;
        self.outcome.kept_block_ns += session.used_kept(self.now);
        if let Some(request) = session.request.take() {
            self.outcome.released += 1;
            self.replicas[replica].scheduler.close(request);
        }
    }
}
