//! One thread's searcher and printer.

use curserve_corpus::Unreadable;
use grep_printer::Stats;
use grep_searcher::{BinaryDetection, Searcher};

use super::options::Options;
use super::pattern::Matchers;
use super::plain::{Habit, Plain};
use super::printer::{searcher, Printed, Printer};
use super::room::Room;
use super::walk::File;
use crate::memory::Pool;
use crate::Deadline;

/// Up to this length a file is searched without a look at the clock.
const LONG: usize = 4 << 20;

/// What all threads of one run share.
pub(super) struct Shared<'w> {
    pub(super) options: &'w Options,
    pub(super) matchers: &'w Matchers<'w>,
    /// How the common form of output is made; None where another is asked for.
    pub(super) plain: Option<Plain>,
    pub(super) with_filename: bool,
    /// The real program maps the files.
    pub(super) mapped: bool,
    pub(super) deadline: Deadline,
    /// Where what is printed is taken from.
    pub(super) pool: Pool,
}

/// What became of one file.
pub(super) enum Outcome {
    Done(Printed),
    Failed(i32),
    Unknown,
    Late,
    /// There was no memory left for what it prints.
    TooLong,
}

impl Outcome {
    /// How many bytes there are to write of it.
    pub(super) fn len(&self) -> usize {
        match self {
            Outcome::Done(printed) => printed.out.len(),
            Outcome::Failed(_) | Outcome::Unknown | Outcome::Late | Outcome::TooLong => 0,
        }
    }
}

/// Searches file after file.
pub(super) struct Worker<'w> {
    shared: &'w Shared<'w>,
    searcher: Option<Searcher>,
    printer: Option<Printer>,
    /// Lines are gathered here, and kept in as much memory as they need.
    lines: Room,
    habit: Habit,
}

impl<'w> Worker<'w> {
    pub(super) fn new(shared: &'w Shared<'w>) -> Self {
        Worker {
            shared,
            searcher: None,
            printer: None,
            lines: Room::new(&shared.pool),
            habit: Habit::default(),
        }
    }

    pub(super) fn search(&mut self, file: &File<'_>) -> Outcome {
        if self.shared.deadline.has_passed() {
            return Outcome::Late;
        }
        match file.content() {
            Ok(_) => match self.try_search(file) {
                Some(printed) => Outcome::Done(printed),
                None if self.shared.pool.is_spent() => Outcome::TooLong,
                None => Outcome::Unknown,
            },
            Err(Unreadable::Errno(errno)) => Outcome::Failed(errno),
            Err(_) => Outcome::Unknown,
        }
    }

    fn try_search(&mut self, file: &File<'_>) -> Option<Printed> {
        let Shared {
            options, matchers, ..
        } = *self.shared;
        let content = file.content().ok()?;
        if let Some(plain) = self
            .shared
            .plain
            .as_ref()
            .filter(|plain| plain.serves(content))
        {
            let name = self.shared.with_filename.then_some(file.name.as_slice());
            let all = 0..content.len();
            self.lines.bytes().clear();
            plain.search(
                matchers,
                &mut self.habit,
                content,
                file.parts().unwrap_or(std::slice::from_ref(&all)),
                name,
                &mut self.lines,
            )?;
            return Some(Printed {
                has_match: !self.lines.bytes().is_empty(),
                out: self.lines.copy_out()?,
                stats: Stats::new(),
            });
        }
        let searcher = self.searcher.get_or_insert_with(|| searcher(options));
        searcher.set_binary_detection(match (options.text, file.explicit || options.binary) {
            (true, _) => BinaryDetection::none(),
            (false, true) => BinaryDetection::convert(0),
            (false, false) => BinaryDetection::quit(0),
        });
        let facts = content.facts();
        let deadline = self.shared.deadline;
        // A long one is read as a stream, which can be left.
        let is_long = content.len() > LONG && !options.multiline;
        // A slice is what the real program searches when it maps; where there is no NUL and no mark it is all the same.
        let is_plain = !facts.has_nul && !facts.has_bom;

        let as_slice = match is_plain {
            true => !is_long,
            false => self.shared.mapped,
        };
        let (with_filename, pool) = (self.shared.with_filename, &self.shared.pool);
        self.printer
            .get_or_insert_with(|| Printer::new(options, with_filename, pool))
            .search(
                searcher,
                matchers.of(content)?,
                &file.name,
                content,
                (!as_slice).then_some(deadline),
            )
    }
}
