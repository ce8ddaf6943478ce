//! What ends: a step, a turn, the time that blocks are kept, a session.

use curserve_sched::{End, Sampled};

use crate::events::Event;
use crate::policy::Policy;
use crate::record::{SessionRecord, TurnRecord};
use crate::session::Stage;
use crate::simulation::Simulation;
use crate::workload::{Start, Workload};

impl<W: Workload> Simulation<'_, W> {
    pub(crate) fn step_over(&mut self, replica: u32, plan: u64) {
        if self.replicas[replica as usize].plans != plan {
            return; // something came before it, and it was planned anew
        }
        let step = self.at(replica);
        step.planned_ns = None;
        let finished = step.finish();
        // First who they are: what follows may put other requests in the places of those that are gone.
        let owners = &self.owners[replica as usize];
        let of: Vec<u32> = finished
            .iter()
            .map(|sampled| owners[sampled.request.slot()])
            .collect();
        for (sampled, number) in finished.into_iter().zip(of) {
            if sampled.outputs == 1 {
                self.sessions[number as usize].first_ns = self.now;
            }
            if let Some(end) = sampled.end {
                self.replicas[replica as usize].active -= 1;
                if self.sessions[number as usize].stage == Stage::Prefill {
                    self.sessions[number as usize].request = None;
                    self.hand_over(number);
                } else {
                    self.turn_over(number, &sampled, end);
                }
            }
        }
    }

    fn turn_over(&mut self, number: u32, sampled: &Sampled, end: End) {
        let now = self.now;
        let session = &mut self.sessions[number as usize];
        let next = self.workload.turn(number, session.turn + 1);
        let (mut tool_ns, mut tool_wait_ns) = (0, 0);
        if next.is_some() {
            if let Some(workers) = self.workers.as_mut().filter(|_| session.work_ns > 0) {
                tool_wait_ns = workers.work(now, session.work_ns);
            }
            self.outcome.tool_work_ns += u128::from(session.work_ns);
            tool_ns = session.gap_ns + session.work_ns + tool_wait_ns;
        }
        self.sink.turn(&TurnRecord {
            session: number,
            turn: session.turn,
            arrived_ns: session.arrived_ns,
            begun_ns: session.begun_ns,
            admitted_ns: session.admitted_ns.unwrap_or(session.begun_ns),
            first_ns: session.first_ns,
            last_ns: now,
            tool_ns,
            tool_wait_ns,
            prompt: session.tokens(),
            cached: session.cached,
            preemptions: session.preemptions,
            reply: sampled.outputs,
        });
        self.outcome.turns += 1;
        self.outcome.new_tokens += u64::from(session.new);
        self.outcome.reply_tokens += u64::from(sampled.outputs);
        self.outcome.end_ns = now;
        session.own += sampled.outputs;
        session.turn += 1;
        session.stage = Stage::Away;
        if end == End::Finished {
            session.request = None;
        }
        self.keep_below(number);
        if next.is_none() {
            return self.leave(number);
        }
        self.events.plan(now + tool_ns, Event::Turn(number));
        if let Some(keeps) = self.cluster.policy.keeps_ns() {
            self.keep(number, keeps, tool_ns);
        }
    }

    /// Let a session keep its blocks for a while.
    fn keep(&mut self, number: u32, keeps_ns: u64, tool_ns: u64) {
        let now = self.now;
        let session = &mut self.sessions[number as usize];
        session.idle_since_ns = Some(now);
        let (at, blocks) = (
            session.at as usize,
            self.cluster.config.blocks_of(session.tokens() + 1),
        );
        let kept = session
            .request
            .map_or(0, |request| self.replicas[at].scheduler.blocks_of(request));
        session.kept = Some((kept, now));
        if keeps_ns < tool_ns {
            self.events.plan(now + keeps_ns, Event::Expiry(number, now));
        }
        if let Policy::Session { .. } = self.cluster.policy {
            let decisions = self.ledgers[at].park(number, blocks);
            self.carry_out(&decisions);
        }
    }

    pub(crate) fn expire(&mut self, number: u32, since_ns: u64) {
        let session = &self.sessions[number as usize];
        if session.idle_since_ns != Some(since_ns) {
            return;
        }
        let at = session.at as usize;
        self.let_go(number);
        let decisions = self.ledgers[at].release(number);
        self.carry_out(&decisions);
    }

    pub(crate) fn leave(&mut self, number: u32) {
        self.outcome.finished += 1;
        self.leave_unfinished(number, true);
    }

    pub(crate) fn leave_unfinished(&mut self, number: u32, finished: bool) {
        let now = self.now;
        let session = &mut self.sessions[number as usize];
        session.stage = Stage::Away;
        self.outcome.kept_block_ns += session.used_kept(now);
        self.sink.session(&SessionRecord {
            session: number,
            started_ns: session.started_ns,
            ended_ns: now,
            turns: session.turn,
            finished,
        });
        let (at, request) = (session.at, session.request.take());
        self.present -= 1;
        if let Some(request) = request {
            self.at(at).scheduler.close(request);
        }
        let decisions = self.ledgers[at as usize].release(number);
        self.carry_out(&decisions);
        if let Some(follower) = self.workload.follower(number) {
            if let Start::After(_, think_ns) = self.workload.start(follower) {
                self.events.plan(now + think_ns, Event::Turn(follower));
            }
        }
    }

    /// Let the blocks of an idle session join the free ones.
    pub(crate) fn let_go(&mut self, number: u32) {
        let now = self.now;
        let session = &mut self.sessions[number as usize];
        session.idle_since_ns = None;
        self.outcome.kept_block_ns += session.used_kept(now);
        let (at, request) = (session.at, session.request.take());
        if let Some(request) = request {
            self.outcome.released += 1;
            self.at(at).scheduler.close(request);
        }
    }
}
