//! Where a turn is computed, what can be loaded there, and what is done when a replica fails.

use curserve_sched::RequestId;

use crate::cluster::NextTurn;
use crate::events::Event;
use crate::ledger::Ledger;
use crate::queues::Carrier;
use crate::router::Router;
use crate::session::{prefix_text, Stage};
use crate::simulation::Simulation;
use crate::tier::Tier;
use crate::workload::Workload;

impl<W: Workload> Simulation<'_, W> {
    /// Choose the replica that answers a turn, or with disaggregation the one that computes its prompt; if all are down, the
    /// turn asks again when the first of them is back. Returns whether one was chosen.
    pub(crate) fn route(&mut self, number: u32) -> bool {
        let Some(split) = self.cluster.split else {
            return self.choose(number, 0, self.cluster.replicas, true);
        };
        let session = &mut self.sessions[number as usize];
        if let (NextTurn::Append, Some(decoder)) = (split.next, session.decoder) {
            if self.replicas[decoder as usize].down_until_ns <= self.now {
                session.at = decoder;
                return true;
            }
        }
        session.stage = Stage::Prefill;
        self.choose(number, 0, split.prefill, true)
    }

    /// Choose among the replicas `from .. to`; `first` says whether they are the first to have the turn.
    fn choose(&mut self, number: u32, from: u32, to: u32, first: bool) -> bool {
        if self.cluster.router == Router::PrefixAware {
            for replica in from..to {
                self.at(replica);
            }
        }
        let session = &self.sessions[number as usize];
        let before = if first { session.home } else { session.decoder };
        let prompt = match self.cluster.router {
            Router::PrefixAware => self.prompt(number),
            _ => Vec::new(),
        };
        let replicas = &self.replicas[from as usize..to as usize];
        let dealer = &mut self.dealers[usize::from(!first)];
        let chosen =
            self.cluster
                .router
                .choose(replicas, from, (number, before), &prompt, dealer, self.now);
        let session = &mut self.sessions[number as usize];
        let Some(chosen) = chosen else {
            session.stage = Stage::Asking;
            let back = replicas.iter().map(|replica| replica.down_until_ns).min();
            let back = back.expect("there are replicas");
            self.events.plan(back, Event::Again(number));
            return false;
        };
        session.at = chosen;
        *if first {
            &mut session.home
        } else {
            &mut session.decoder
        } = Some(chosen);
        true
    }

    /// Tokens of a turn's text that its replica could load.
    pub(crate) fn external(&self, number: u32) -> u32 {
        let session = &self.sessions[number as usize];
        if let Some(split) = self.cluster.split {
            return match (session.stage, split.next) {
                // All but the last sampled token, which no decoder ever computed.
                (Stage::Prefill, NextTurn::TransferBack) if session.turn > 0 => {
                    session.tokens() - session.new - 1
                }
                (Stage::Served, _) => session.tokens(),
                _ => 0,
            };
        }
        let Some(tier) = self.tiers.get(session.at as usize) else {
            return 0;
        };
        let size = self.cluster.config.block_size;
        let (which, shared) = session.prefix;
        let of_prefix = shared / size;
        let found = tier.found(prefix_text(which)).min(of_prefix);
        let own = if found == of_prefix {
            tier.found(u64::from(number))
        } else {
            0
        };
        (found + own).min((session.tokens() - 1) / size) * size
    }

    /// What a replica computed of a session goes to the tier below it.
    pub(crate) fn keep_below(&mut self, number: u32) {
        let session = &self.sessions[number as usize];
        let Some(tier) = self.tiers.get_mut(session.at as usize) else {
            return;
        };
        let size = self.cluster.config.block_size;
        let (which, shared) = session.prefix;
        tier.touch(prefix_text(which), shared / size);
        let computed = (session.tokens() - 1) / size;
        tier.touch(u64::from(number), computed.saturating_sub(shared / size));
    }

    /// The prompt is computed: let another replica reply.
    pub(crate) fn hand_over(&mut self, number: u32) {
        let split = self.cluster.split.expect("there are two kinds of replicas");
        self.sessions[number as usize].stage = Stage::Served;
        if self.choose(number, split.prefill, self.cluster.replicas, false) {
            self.begin(number);
        }
    }

    /// The KV that a request waited for is there.
    pub(crate) fn loaded(&mut self, replica: u32, failures: u32, request: RequestId) {
        if self.replicas[replica as usize].failures == failures {
            self.at(replica).scheduler.loaded(request);
        }
    }

    /// A replica loses everything; the turns that it had ask again.
    pub(crate) fn fail(&mut self, number: u32, down_ns: u64) {
        let (now, config) = (self.now, self.cluster.config.clone());
        let owners = std::mem::take(&mut self.owners[number as usize]);
        self.at(number).fail(config.clone(), now + down_ns);
        let fresh = Ledger::new(config.blocks, config.max_num_seqs);
        let ledger = std::mem::replace(&mut self.ledgers[number as usize], fresh);
        if let (Some(tier), Some(offload)) =
            (self.tiers.get_mut(number as usize), self.cluster.offload)
        {
            *tier = Tier::new(offload.blocks);
            self.carriers[number as usize] = Carrier::new(offload.way);
        }
        // Who holds blocks and waits for more is found by the request that holds them.
        let queued: Vec<u32> = ledger
            .queued()
            .filter(|&session| self.sessions[session as usize].request.is_none())
            .collect();
        for (slot, owner) in owners.into_iter().enumerate() {
            let session = &mut self.sessions[owner as usize];
            let request = session.request.filter(|_| session.at == number);
            if request.map(|request| request.slot()) != Some(slot) {
                continue;
            }
            session.request = None;
            self.outcome.kept_block_ns += session.used_kept(now);
            if session.stage == Stage::Away {
                session.idle_since_ns = None;
                self.outcome.released += 1;
            } else {
                self.outcome.retried += u64::from(session.stage != Stage::Asking);
                session.stage = Stage::Asking;
                self.events.plan(now, Event::Again(owner));
            }
        }
        for session in queued {
            self.events.plan(now, Event::Again(session));
        }
    }
}
