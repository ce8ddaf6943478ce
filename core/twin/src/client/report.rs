//! What a client says of itself: one line where it runs, and a file for `curserve mirror status`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use curserve_mirror::{Outcome, RelPath};
use serde::{Deserialize, Serialize};

/// How often the line and the file are written, at most.
const OFTEN: Duration = Duration::from_millis(200);
/// So many conflicts are listed.
const MOST: usize = 100;

/// What there is to be said of a client.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its process.
    pub pid: u32,
    /// The workspace.
    pub root: String,
    /// Where the copy is.
    pub target: String,
    /// Whether a connection stands.
    pub connected: bool,
    /// Whether all that has changed has been said.
    pub in_step: bool,
    /// Whether the server has applied all of it.
    pub acknowledged: bool,
    /// The number of the connection.
    pub epoch: u64,
    /// The number of the last record.
    pub sequence: u64,
    /// Bytes to the server.
    pub sent_bytes: u64,
    /// Bytes from it.
    pub received_bytes: u64,
    /// How many nodes and questions are still owed, as far as is known.
    pub owed: usize,
    /// Nodes without a watch, which are looked at all the time.
    pub unwatched: usize,
    /// Calls that were run here.
    pub calls_run: u64,
    /// Files that are mirrored by name only, by reason.
    pub withheld: BTreeMap<String, usize>,
    /// Edits that met others: the file, and what became of them.
    pub conflicts: Vec<(String, String)>,
    /// Why something was put off.
    pub stalled: Option<String>,
    /// What went wrong last, while it has not been put right.
    pub trouble: Option<String>,
    /// Milliseconds from the start to the first time that the server had everything.
    pub filled_ms: Option<u64>,
}

/// Who shows it.
pub struct Reporter {
    report: Report,
    shown: Report,
    file: Option<PathBuf>,
    /// A line that is written over, on a terminal; else lines, where something changes.
    terminal: bool,
    began: Instant,
    last: Option<Instant>,
    line: String,
}

impl Reporter {
    /// Shows what becomes of `report` on standard error, and in `file`.
    pub fn new(report: Report, file: Option<&Path>, terminal: bool) -> Self {
        Reporter {
            shown: Report::default(),
            report,
            file: file.map(Path::to_path_buf),
            terminal,
            began: Instant::now(),
            last: None,
            line: String::new(),
        }
    }

    /// Changes what is to be said.
    pub(super) fn update(&mut self, change: impl FnOnce(&mut Report)) {
        change(&mut self.report);
        if self.report.acknowledged && self.report.filled_ms.is_none() {
            self.report.filled_ms = Some(self.began.elapsed().as_millis() as u64);
        }
    }

    /// Something went wrong; the same is said once.
    pub(super) fn trouble(&mut self, why: &str) {
        if self.report.trouble.as_deref() != Some(why) {
            self.say(&format!("curserve mirror: {why}; trying again"));
            self.report.trouble = Some(why.to_owned());
        }
    }

    /// It has been put right.
    pub(super) fn is_well(&mut self) {
        self.report.trouble = None;
    }

    /// An edit met another.
    pub(super) fn conflict(&mut self, path: &RelPath, outcome: &Outcome) {
        let what = match outcome {
            Outcome::Accepted | Outcome::Merged => return,
            Outcome::Conflict(Some(copy)) => format!("yours stays; the agent's is {copy}"),
            Outcome::Conflict(None) => "yours stays".to_owned(),
            Outcome::Denied(why) => why.clone(),
        };
        self.say(&format!(
            "curserve mirror: {path} was changed on both sides: {what}"
        ));
        if self.report.conflicts.len() < MOST {
            self.report.conflicts.push((path.to_string(), what));
        }
    }

    /// Whether enough time has passed to show something new.
    pub(super) fn is_due(&self) -> bool {
        let is_new = self.report != self.shown;
        let turns = |old: &Report, new: &Report| {
            (old.connected, old.in_step, old.acknowledged)
                != (new.connected, new.in_step, new.acknowledged)
        };
        is_new
            && (self.last.is_none_or(|last| last.elapsed() >= OFTEN)
                || turns(&self.shown, &self.report))
    }

    /// Shows it.
    pub(super) fn show(&mut self, withheld: impl Iterator<Item = (&'static str, usize)>) {
        self.report.withheld = withheld
            .map(|(why, count)| (why.to_owned(), count))
            .collect();
        self.last = Some(Instant::now());
        self.shown = self.report.clone();
        if let Some(file) = &self.file {
            // Who asks for it finds the old one.
            let _ = written(file, &self.report);
        }
        let line = self.report.line();
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
            self.line = line;
        } else if self.report.line_of_state() != self.line {
            self.line = self.report.line_of_state();
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    fn say(&mut self, text: &str) {
        let end = if self.terminal { "\r\x1b[K" } else { "" };
        let _ = writeln!(std::io::stderr(), "{end}{text}");
    }
}

/// Replaces `file`, whole.
fn written(file: &Path, report: &Report) -> std::io::Result<()> {
    let beside = file.with_extension("new");
    std::fs::write(&beside, serde_json::to_vec_pretty(report)?)?;
    std::fs::rename(&beside, file)
}

impl Report {
    /// In one line.
    pub fn line(&self) -> String {
        let mb = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
        let mut line = format!(
            "curserve mirror: {} -> {}: {}",
            self.root,
            self.target,
            self.line_of_state()
        );
        if self.connected && !self.in_step {
            line += &format!(", {} sent", mb(self.sent_bytes));
        }
        if let Some(stalled) = &self.stalled {
            line += &format!("; put off: {stalled}");
        }
        line
    }

    fn line_of_state(&self) -> String {
        let state = match (self.connected, self.in_step, self.acknowledged) {
            (false, ..) => "not connected",
            (true, _, true) => "in step",
            (true, true, false) => "sending",
            (true, false, _) if self.filled_ms.is_none() => "filling the copy",
            (true, false, _) => "catching up",
        };
        state.to_owned()
    }
}
