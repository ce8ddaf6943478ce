//! What is counted of turns and sessions as they end, so that a million of them need no list.

use std::collections::HashMap;
use std::ops::Range;

use crate::histogram::Histogram;
use crate::record::{SessionRecord, Sink, TurnRecord};

/// What is measured of a turn or a session, in nanoseconds. Where the user is counted in, half a round trip lies between
/// the user and the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Metric {
    /// From when a turn was meant to be asked for to its first token, at whoever runs the tools.
    Ttft,
    /// Between two tokens of a reply.
    Tpot,
    /// From when a turn was meant to be asked for to when the next can be.
    Turn,
    /// From a reply's last token to the next prompt, at the server.
    Tool,
    /// A whole session, at the user.
    Task,
    /// From a prompt's arrival to the first step with a part of it.
    Queued,
    /// The part of that before the scheduler had it: until blocks were reserved, or a replica was there.
    Reserved,
    /// What a tool call waited for a processor of the server.
    ToolWait,
}

/// All of them, in the order of [`Tally::histograms`].
pub const METRICS: [(Metric, &str); 8] = [
    (Metric::Ttft, "ttft"),
    (Metric::Tpot, "tpot"),
    (Metric::Turn, "turn"),
    (Metric::Tool, "tool"),
    (Metric::Task, "task"),
    (Metric::Queued, "queued"),
    (Metric::Reserved, "reserved"),
    (Metric::ToolWait, "tool_wait"),
];

/// At least `share` of a session's own samples lie within `bound_ns`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// Of what.
    pub metric: Metric,
    /// From 0 to 1.
    pub share: f64,
    /// In nanoseconds.
    pub bound_ns: u64,
}

/// Where a session's user is, and who runs the tools.
pub trait Places: Sync {
    /// Half the round trip between user and server.
    fn half_ns(&self, session: u32) -> u64;

    /// Whether the tools run at the user's.
    fn tools_at_user(&self) -> bool;
}

/// Counts turns and sessions, and keeps some of them whole.
pub struct Tally<'a> {
    places: &'a dyn Places,
    /// Sessions that are counted, by number: not those of the warm-up, nor those after whom nobody comes.
    pub counted: Range<u32>,
    /// What a good session keeps.
    pub slo: Vec<Objective>,
    /// Of how many sessions one is kept whole; 0: none.
    pub every: u32,
    /// One for each of [`METRICS`].
    pub histograms: Vec<Histogram>,
    /// Of all counted sessions: for each objective, samples and those within the bound.
    pub kept: Vec<(u64, u64)>,
    /// Of sessions that are there: for each objective, samples and those within the bound.
    open: HashMap<u32, Vec<(u32, u32)>>,
    /// Counted sessions that are over, finished ones among them, and good ones among those.
    pub over: u64,
    /// See `over`.
    pub finished: u64,
    /// See `over`.
    pub good: u64,
    /// From the first intended start of a counted session to the last end.
    pub first_ns: Option<u64>,
    /// See `first_ns`.
    pub last_ns: u64,
    /// Times, and how many sessions were there.
    pub probes: Vec<(u64, u32)>,
    /// Those that are kept whole.
    pub turns: Vec<TurnRecord>,
    /// See `turns`.
    pub sessions: Vec<SessionRecord>,
}

impl<'a> Tally<'a> {
    /// Nothing yet.
    pub fn new(
        places: &'a dyn Places,
        counted: Range<u32>,
        slo: Vec<Objective>,
        every: u32,
    ) -> Self {
        Self {
            places,
            counted,
            slo,
            every,
            kept: Vec::new(),
            histograms: vec![Histogram::default(); METRICS.len()],
            open: HashMap::new(),
            over: 0,
            finished: 0,
            good: 0,
            first_ns: None,
            last_ns: 0,
            probes: Vec::new(),
            turns: Vec::new(),
            sessions: Vec::new(),
        }
    }

    /// Half the round trip between a session's user and the server.
    pub fn half_ns(&self, session: u32) -> u64 {
        self.places.half_ns(session)
    }

    fn is_kept(&self, session: u32) -> bool {
        self.every > 0 && session.is_multiple_of(self.every)
    }

    fn add(&mut self, metric: Metric, ns: u64) {
        self.histograms[metric as usize].add(ns);
    }

    /// A turn's sample of a metric, if it has one.
    fn sample(&self, turn: &TurnRecord, metric: Metric) -> Option<u64> {
        let half = self.places.half_ns(turn.session);
        // The user asks for the first turn; for the others, whoever runs the tools.
        let way = if self.places.tools_at_user() { half } else { 0 };
        let asked = if turn.turn == 0 { half } else { way };
        let served = turn.last_ns - turn.arrived_ns;
        match metric {
            Metric::Ttft => Some(turn.first_ns - turn.arrived_ns + asked + way),
            Metric::Tpot => {
                (turn.reply > 1).then(|| (turn.last_ns - turn.first_ns) / u64::from(turn.reply - 1))
            }
            Metric::Turn => Some(match turn.tool_ns {
                0 => served + asked + way,
                tool => served + asked + tool - way.min(tool),
            }),
            Metric::Tool => (turn.tool_ns > 0).then_some(turn.tool_ns),
            Metric::Queued => Some(turn.admitted_ns - turn.arrived_ns),
            Metric::Reserved => Some(turn.begun_ns - turn.arrived_ns),
            Metric::ToolWait => (turn.tool_ns > 0).then_some(turn.tool_wait_ns),
            Metric::Task => None,
        }
    }
}

impl Sink for Tally<'_> {
    fn turn(&mut self, turn: &TurnRecord) {
        if self.is_kept(turn.session) {
            self.turns.push(*turn);
        }
        if !self.counted.contains(&turn.session) {
            return;
        }
        for (metric, _) in METRICS {
            if let Some(ns) = self.sample(turn, metric) {
                self.add(metric, ns);
            }
        }
        if self.slo.is_empty() {
            return;
        }
        let found: Vec<Option<bool>> = self
            .slo
            .iter()
            .map(|objective| {
                self.sample(turn, objective.metric)
                    .map(|ns| ns <= objective.bound_ns)
            })
            .collect();
        let none = vec![(0, 0); found.len()];
        let open = self.open.entry(turn.session).or_insert(none);
        self.kept.resize(found.len(), (0, 0));
        for (((samples, within), kept), found) in open.iter_mut().zip(&mut self.kept).zip(found) {
            let (one, good) = (found.is_some(), found == Some(true));
            *samples += u32::from(one);
            *within += u32::from(good);
            *kept = (kept.0 + u64::from(one), kept.1 + u64::from(good));
        }
    }

    fn session(&mut self, session: &SessionRecord) {
        if self.is_kept(session.session) {
            self.sessions.push(*session);
        }
        for (at, present) in &mut self.probes {
            *present += u32::from(session.started_ns <= *at && *at < session.ended_ns);
        }
        let open = self.open.remove(&session.session);
        if !self.counted.contains(&session.session) {
            return;
        }
        let half = self.places.half_ns(session.session);
        let (start, end) = (
            session.started_ns.saturating_sub(half),
            session.ended_ns + half,
        );
        self.over += 1;
        self.first_ns = Some(self.first_ns.map_or(start, |first| first.min(start)));
        self.last_ns = self.last_ns.max(end);
        if !session.finished {
            return;
        }
        self.finished += 1;
        self.add(Metric::Task, end - start);
        self.kept.resize(self.slo.len(), (0, 0));
        for (objective, kept) in self.slo.iter().zip(&mut self.kept) {
            if objective.metric == Metric::Task {
                *kept = (
                    kept.0 + 1,
                    kept.1 + u64::from(end - start <= objective.bound_ns),
                );
            }
        }
        let open = open.unwrap_or_else(|| vec![(0, 0); self.slo.len()]);
        let mut kept = self.slo.iter().zip(open);
        let good = kept.all(|(objective, (samples, within))| match objective.metric {
            Metric::Task => end - start <= objective.bound_ns,
            _ => f64::from(within) >= objective.share * f64::from(samples) - 1e-9,
        });
        self.good += u64::from(good);
    }
}
