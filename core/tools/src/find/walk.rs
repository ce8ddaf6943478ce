//! The walk, and the expression at each node.

use curserve_corpus::{Entry, Kind, Node};

use super::command::{run, run_with};
use super::expr::{Expr, Parsed};
use super::format::{base, format, letter, Piece, Shown};
use super::together::Candidates;
use crate::{batch, input, test, Call, Refusal};

/// The clock is asked once in so many nodes: looking at one takes hardly longer.
const VISITS: u32 = 64;

/// One run of `find`.
pub struct Walk<'w, 'c> {
    parsed: &'w Parsed,
    pub call: &'w mut Call<'c>,
    pub status: i32,
    pub quit: bool,
    batches: Vec<Batch>,
    /// The path of the present node, whose last name is written only where it is asked for: a name that does not match
    /// leaves its path alone.
    path: Vec<u8>,
    /// Whether that name is there.
    whole: bool,
    visits: u32,
    /// What `-exec` is given is gathered, and nothing is done.
    gathered: Option<Candidates>,
}

/// The paths of one `-exec … +`, and the bytes that they take.
#[derive(Default)]
struct Batch {
    paths: Vec<Vec<u8>>,
    size: usize,
}

/// What one node is to the expression.
struct Here<'a, 'p> {
    node: Node<'a>,
    kind: Kind,
    name: &'p [u8],
    /// The length of the starting point in its path.
    start: usize,
    depth: usize,
    prune: bool,
}

impl<'w, 'c> Walk<'w, 'c> {
    /// A walk that has not begun.
    pub fn new(parsed: &'w Parsed, call: &'w mut Call<'c>) -> Self {
        let batches = std::iter::repeat_with(Batch::default);
        Walk {
            parsed,
            call,
            status: 0,
            quit: false,
            batches: batches.take(parsed.batches).collect(),
            path: Vec::new(),
            whole: true,
            visits: 0,
            gathered: None,
        }
    }

    /// Gathers for `candidates` what `-exec` is given, and does nothing else.
    pub fn gather(&mut self, candidates: Candidates) {
        self.gathered = Some(candidates);
    }

    /// What has been gathered.
    pub fn gathered(&mut self) -> Option<Candidates> {
        self.gathered.take()
    }

    /// Walks from `node`, which the path `start` names.
    ///
    /// # Errors
    /// Where a folder is not in memory, a command refuses, or the time is spent.
    pub fn from(&mut self, node: Node<'c>, start: &[u8]) -> Result<(), Refusal> {
        self.path.clear();
        self.path.extend_from_slice(start);
        self.whole = true;
        let kind = node.kind();
        self.visit(node, kind, base(start), start.len(), 0)
    }

    fn visit(
        &mut self,
        node: Node<'c>,
        kind: Kind,
        name: &[u8],
        start: usize,
        depth: usize,
    ) -> Result<(), Refusal> {
        self.visits += 1;
        if self.visits.is_multiple_of(VISITS) {
            self.call.deadline.check()?;
        }
        let mut here = Here {
            node,
            kind,
            name,
            start,
            depth,
            prune: false,
        };
        let depth_first = self.parsed.depth_first;
        if !depth_first {
            self.evaluate(&mut here)?;
        }
        if kind == Kind::Folder && !here.prune && depth < self.parsed.max_depth && !self.quit {
            self.path(name);
            self.below(node, start, depth + 1)?;
        }
        if depth_first && !self.quit {
            self.evaluate(&mut here)?;
        }
        Ok(())
    }

    /// Walks a folder's entries, and leaves its path as it was.
    fn below(&mut self, folder: Node<'c>, start: usize, depth: usize) -> Result<(), Refusal> {
        if depth > 1000 {
            return Err(Refusal::new("folders nested beyond 1000"));
        }
        let entries = folder
            .entries_as_walked()
            .map_err(|_| Refusal::NotInMemory("a folder not in memory".into()))?;
        let before = self.path.len();
        if !self.path.ends_with(b"/") {
            self.path.push(b'/');
        }
        let len = self.path.len();
        for Entry { name, kind, node } in entries {
            if self.call.out.full() {
                break;
            }
            self.path.truncate(len);
            self.whole = false;
            self.visit(node, kind, name, start, depth)?;
            if self.quit {
                break;
            }
        }
        self.path.truncate(before);
        self.whole = true;
        Ok(())
    }

    /// The whole path of the present node, whose name is `name`.
    fn path(&mut self, name: &[u8]) -> &mut Vec<u8> {
        if !self.whole {
            self.path.extend_from_slice(name);
            self.whole = true;
        }
        &mut self.path
    }

    fn evaluate(&mut self, here: &mut Here<'c, '_>) -> Result<(), Refusal> {
        if here.depth < self.parsed.min_depth {
            return Ok(());
        }
        let parsed = self.parsed;
        self.holds(&parsed.expr, here)?;
        if self.gathered.is_some() {
            self.quit = false; // what was gathered ended this node only
        }
        Ok(())
    }

    fn holds(&mut self, expr: &Expr, here: &mut Here<'c, '_>) -> Result<bool, Refusal> {
        if self.quit {
            return Ok(false);
        }
        let meta = || here.node.meta(); // most expressions ask for names alone
        Ok(match expr {
            Expr::And(parts) => {
                for part in parts {
                    if !self.holds(part, here)? {
                        return Ok(false);
                    }
                }
                true
            }
            Expr::Or(a, b) => self.holds(a, here)? || self.holds(b, here)?,
            Expr::Not(a) => !self.holds(a, here)?,
            Expr::True => true,
            Expr::False => false,
            Expr::Name(pattern) => pattern.matches(here.name)?,
            Expr::Path(pattern) => pattern.matches(self.path(here.name))?,
            Expr::LinkName(pattern) => match here.node.link_target() {
                Some(target) => pattern.matches(target)?,
                None => false,
            },
            Expr::Type(letters) => match here.kind {
                Kind::File => letters.contains(&b'f'),
                Kind::Folder => letters.contains(&b'd'),
                Kind::Link => letters.contains(&b'l'),
                Kind::Other => letters.contains(&letter(meta().mode)),
            },
            Expr::Empty => match here.kind {
                Kind::File => meta().size == 0,
                Kind::Folder => {
                    here.node
                        .entries()
                        .map_err(|_| Refusal::NotInMemory("a folder not in memory".into()))?
                        .len()
                        == 0
                }
                _ => false,
            },
            Expr::Size(..) if here.kind == Kind::Folder && self.call.snapshot.is_copy() => {
                return Err(Refusal::new(
                    "find: sizes of folders, which a copy does not have",
                ));
            }
            Expr::Access(_) | Expr::Links(_) if self.call.snapshot.is_copy() => {
                return Err(Refusal::new(
                    "find: owners and links, which a copy does not have",
                ));
            }
            Expr::Size(compare, unit) => compare.holds(meta().size.div_ceil(*unit)),
            Expr::Newer(than) => meta().mtime > *than,
            Expr::Perm(how, bits) => match how {
                b'-' => meta().mode & bits == *bits,
                b'/' => meta().mode & bits != 0,
                _ => meta().mode & 0o7777 == *bits,
            },
            Expr::Access(bit) => {
                // As the kernel sees it: a link is what it leads to.
                let followed = match here.kind {
                    Kind::Link => {
                        self.path(here.name);
                        input::look(self.call, &self.path, true)?
                    }
                    _ => Ok(here.node),
                };
                followed.is_ok_and(|node| test::allowed(self.call, node.meta(), *bit))
            }
            Expr::Links(compare) => compare.holds(meta().nlink),
            Expr::Prune => {
                here.prune = !self.parsed.depth_first;
                true
            }
            Expr::Quit => {
                self.quit = true;
                true
            }
            Expr::Print => {
                self.print(here.name, b'\n');
                true
            }
            Expr::Print0 => {
                self.print(here.name, 0);
                true
            }
            Expr::Printf(pieces) => {
                let is_of_copy = |piece: &Piece| match piece {
                    Piece::Field(b's') => here.kind == Kind::Folder,
                    Piece::Field(b'i' | b'n') => true,
                    _ => false,
                };
                if self.call.snapshot.is_copy() && pieces.iter().any(is_of_copy) {
                    return Err(Refusal::new("find: -printf of what a copy does not have"));
                }
                let text = format(
                    pieces,
                    &Shown {
                        node: here.node,
                        path: self.path(here.name),
                        start: here.start,
                        depth: here.depth,
                    },
                )?;
                self.call.out.write(&text);
                true
            }
            Expr::Exec(words) => {
                self.path(here.name);
                if let Some(gathered) = &mut self.gathered {
                    gathered.add(&self.path, here.node, here.kind)?;
                    self.quit = true;
                    return Ok(false);
                }
                run_with(self.call, words, &self.path)? == 0
            }
            Expr::ExecPlus(words, number) => {
                let path = self.path(here.name).clone();
                let alone = batch::size(words) + path.len() + 1;
                let Some(room) = batch::SIZE.checked_sub(alone) else {
                    return Err(Refusal::new("an item of find -exec + that does not fit"));
                };
                if self.batches[*number].size > room {
                    let full = std::mem::take(&mut self.batches[*number]);
                    self.run_batch(words, full.paths)?;
                }
                let collected = &mut self.batches[*number];
                collected.size += path.len() + 1;
                collected.paths.push(path);
                true
            }
        })
    }

    fn print(&mut self, name: &[u8], end: u8) {
        self.path(name).push(end);
        self.call.out.write(&self.path);
        self.path.pop();
    }

    fn run_batch(&mut self, words: &[Vec<u8>], paths: Vec<Vec<u8>>) -> Result<(), Refusal> {
        if paths.is_empty() {
            return Err(Refusal::new("an item of find -exec + that does not fit"));
        }
        let words: Vec<Vec<u8>> = words.iter().cloned().chain(paths).collect();
        if run(self.call, &words)? != 0 {
            self.status = 1;
        }
        Ok(())
    }

    /// Runs what `-exec … +` still holds, in the order of the expression.
    ///
    /// # Errors
    /// Where one of them refuses.
    pub fn finish_batches(&mut self, expr: &Expr) -> Result<(), Refusal> {
        match expr {
            Expr::And(parts) => parts.iter().try_for_each(|part| self.finish_batches(part)),
            Expr::Or(a, b) => {
                self.finish_batches(a)?;
                self.finish_batches(b)
            }
            Expr::Not(a) => self.finish_batches(a),
            Expr::ExecPlus(words, number) => {
                let left = std::mem::take(&mut self.batches[*number]);
                if left.paths.is_empty() {
                    Ok(())
                } else {
                    self.run_batch(words, left.paths)
                }
            }
            _ => Ok(()),
        }
    }
}
