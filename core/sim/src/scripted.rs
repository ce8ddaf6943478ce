//! Sessions that say what was recorded, with tool times that were measured.

use std::sync::Arc;

use curserve_sched::Segment;

use crate::chance::Chance;
use crate::session::TEXTS;
use crate::tally::Places;
use crate::workload::{Start, TurnPlan, Workload};

/// What sessions say: one script or several, turn by turn.
#[derive(Clone, Debug, Default)]
pub struct Scripts {
    /// Where each script's turns begin, and the end of the last.
    offsets: Vec<usize>,
    turns: Vec<ScriptTurn>,
    /// The text that each begins with: which, and how many tokens of it.
    prefixes: Vec<(u32, u32)>,
    /// The whole prompts of the turns, where they are given: one for each turn.
    texts: Vec<Vec<Segment>>,
    /// Whether sessions with the same script say the same.
    shared: bool,
}

/// A turn as it was recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScriptTurn {
    /// Tokens that are new in front of the reply.
    pub new: u32,
    /// Tokens of the reply.
    pub reply: u32,
    /// The kind of its tool calls: a number below that of the [`Gaps`].
    pub kind: u32,
    /// What passes besides them, in nanoseconds: programs that are not run again, people who think.
    pub more_ns: u64,
}

impl Scripts {
    /// Put scripts one after the other; each has the text that it begins with, and its turns.
    pub fn new(scripts: impl IntoIterator<Item = ((u32, u32), Vec<ScriptTurn>)>) -> Self {
        let mut all = Self {
            offsets: vec![0],
            ..Self::default()
        };
        for (prefix, turns) in scripts {
            all.turns.extend(turns);
            all.offsets.push(all.turns.len());
            all.prefixes.push(prefix);
        }
        all
    }

    /// Give every turn its whole prompt, in the order of scripts and turns; its streams are numbered from 0 to 2^31. `shared`:
    /// sessions that play one script say the same, else each has texts of its own.
    pub fn with_texts(mut self, texts: Vec<Vec<Segment>>, shared: bool) -> Self {
        assert_eq!(texts.len(), self.turns.len(), "one for each turn");
        self.texts = texts;
        self.shared = shared;
        self
    }

    /// How many turns in all of them.
    pub fn turns(&self) -> usize {
        self.turns.len()
    }

    /// How many scripts.
    pub fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    fn turn(&self, script: u32, number: u32) -> Option<&ScriptTurn> {
        let at = self.offsets[script as usize] + number as usize;
        (at < self.offsets[script as usize + 1]).then(|| &self.turns[at])
    }
}

/// How long a turn's tools take, as drawn from what was measured: by where the user is, and by the kind of tool.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    /// Whether the tools run at the user's.
    pub at_user: bool,
    /// For each place: the share of users there, half their round trip, and for each kind the (whole time, time of a
    /// processor of the server in it), the shortest first.
    pub places: Vec<Place>,
}

/// A place where users are.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Of all users.
    pub share: f64,
    /// Between them and the server, one way.
    pub half_ns: u64,
    /// By kind of tool.
    pub gaps: Vec<Vec<(u64, u64)>>,
}

/// Who plays what, and when.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// What is said.
    pub scripts: Arc<Scripts>,
    /// What tools take.
    pub gaps: Arc<Gaps>,
    /// The script of each session.
    pub script: Arc<Vec<u32>>,
    /// When each session is meant to start; of a closed load, when its users begin.
    pub start_ns: Arc<Vec<u64>>,
    /// Users of a closed load, each of whom plays one session after the other; 0: the load is open.
    pub users: u32,
    /// What a user waits between two sessions.
    pub think_ns: u64,
    /// Of all draws.
    pub seed: u64,
}

impl Scripted {
    /// A session's place. In a closed load it is its user's.
    fn place(&self, session: u32) -> &Place {
        let who = match self.users {
            0 => session,
            users => session % users,
        };
        let mut left = Chance::new(self.seed, u64::from(who) << 1 | 1).share(0);
        let places = &self.gaps.places;
        places
            .iter()
            .find(|place| {
                left -= place.share;
                left < 0.0
            })
            .unwrap_or(&places[places.len() - 1])
    }
}

impl Workload for Scripted {
    fn sessions(&self) -> u32 {
        self.script.len() as u32
    }

    fn start(&self, session: u32) -> Start {
        let half = self.place(session).half_ns;
        match self.users {
            users if users > 0 && session >= users => {
                Start::After(session - users, self.think_ns + 2 * half)
            }
            _ => Start::At(self.start_ns[session as usize] + half),
        }
    }

    fn follower(&self, session: u32) -> Option<u32> {
        let next = session.checked_add(self.users)?;
        (self.users > 0 && next < self.sessions()).then_some(next)
    }

    fn turn(&self, session: u32, number: u32) -> Option<TurnPlan> {
        let turn = self.scripts.turn(self.script[session as usize], number)?;
        let gaps = &self.place(session).gaps[turn.kind as usize];
        let (gap, work) = match gaps.len() {
            0 => (0, 0),
            count => {
                let chance = Chance::new(self.seed, u64::from(session) << 1);
                gaps[(chance.share(u64::from(number)) * count as f64) as usize]
            }
        };
        Some(TurnPlan {
            new: turn.new,
            reply: turn.reply,
            gap_ns: (gap - work + turn.more_ns).max(1),
            work_ns: work,
        })
    }

    fn text(&self, session: u32, number: u32) -> Option<Vec<Segment>> {
        let at = self.scripts.offsets[self.script[session as usize] as usize] + number as usize;
        let mut text = self.scripts.texts.get(at)?.clone();
        let own = match self.scripts.shared {
            true => 0,
            false => u64::from(session + 1) << 31,
        };
        text.iter_mut()
            .for_each(|segment| segment.stream += TEXTS + own);
        Some(text)
    }

    fn prefix(&self, session: u32) -> (u32, u32) {
        self.scripts.prefixes[self.script[session as usize] as usize]
    }
}

impl Places for Scripted {
    fn half_ns(&self, session: u32) -> u64 {
        self.place(session).half_ns
    }

    fn tools_at_user(&self) -> bool {
        self.gaps.at_user
    }
}
