//! Which replica answers a turn.

use curserve_sched::Segment;

use crate::replica::Replica;

/// How a replica is chosen for a turn of a session whose blocks nobody keeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Router {
    /// Sessions are dealt out in turns, and stay.
    Dealt,
    /// Turns are dealt out in turns.
    RoundRobin,
    /// The replica with the fewest requests; of several the first.
    LeastLoaded,
    /// As `LeastLoaded` for a session's first turn; then it stays.
    Affinity,
    /// The one with the fewest blocks to compute for this prompt, those that it holds for others added: the cost function
    /// that ai-dynamo documents for its KV router, with equal weights.
    PrefixAware,
}

/// What was dealt out so far.
#[derive(Debug, Default)]
pub struct Dealer {
    next: u32,
}

impl Router {
    /// Choose among `replicas`; `from` is the number of the first of them. `before` answered the session's last turn. Those
    /// that are down are left out; None if all are.
    pub(crate) fn choose(
        self,
        replicas: &[Replica],
        from: u32,
        (session, before): (u32, Option<u32>),
        prompt: &[Segment],
        dealer: &mut Dealer,
        now_ns: u64,
    ) -> Option<u32> {
        let up = |at: u32| replicas[at as usize].down_until_ns <= now_ns;
        let count = replicas.len() as u32;
        let stays = before.map(|before| before - from).filter(|&at| up(at));
        let around = |first: u32| {
            (0..count)
                .map(move |more| (first + more) % count)
                .find(|&at| up(at))
        };
        let least = || {
            (0..count)
                .filter(|&at| up(at))
                .min_by_key(|&at| replicas[at as usize].active)
        };
        let at = match self {
            Router::Dealt => stays.or_else(|| around(session % count)),
            Router::RoundRobin => {
                let chosen = around(dealer.next % count);
                dealer.next = chosen.map_or(dealer.next, |chosen| chosen + 1);
                chosen
            }
            Router::LeastLoaded => least(),
            Router::Affinity => stays.or_else(least),
            Router::PrefixAware => {
                let tokens: u32 = prompt.iter().map(|segment| segment.tokens).sum();
                let cost = |&at: &u32| {
                    let replica = &replicas[at as usize];
                    let held = replica.blocks - replica.scheduler.free_blocks();
                    let missing = tokens - replica.scheduler.found(prompt).min(tokens);
                    missing / replica.scheduler.block_size() + held
                };
                (0..count).filter(|&at| up(at)).min_by_key(cost)
            }
        };
        at.map(|at| at + from)
    }
}
