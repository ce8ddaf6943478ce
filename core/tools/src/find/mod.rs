//! `find`: walks the tree in the order in which gnulib's fts does, and evaluates its expression at each node.

mod expr;

use curserve_corpus::{Entry, Kind, Node};

use crate::{batch, input, quote, test, times, Call, Refusal, Stdin};
use expr::{Expr, Parsed, Piece};

/// The clock is asked once in so many nodes: looking at one takes hardly longer.
const VISITS: u32 = 64;

/// Runs `find`.
pub fn find(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let mut words = args.as_slice();
    let mut follow_start = false;
    while let Some(first) = words.first() {
        match *first {
            b"-P" => follow_start = false,
            b"-H" => follow_start = true,
            b"-O1" | b"-O2" => {}
            _ => break,
        }
        words = &words[1..];
    }
    let split = words.iter().position(|w| {
        w.first() == Some(&b'-') && w.len() > 1 || matches!(*w, b"(" | b"!" | b")" | b",")
    });
    let (starts, expression) = words.split_at(split.unwrap_or(words.len()));
    if starts.contains(&&b""[..]) || starts.contains(&&b"-"[..]) {
        return Err(Refusal::new(
            "a starting point of find that is empty or a dash",
        ));
    }
    let newer = |path: &[u8]| match input::look(call, path, follow_start)? {
        Ok(node) => Ok(node.meta().mtime),
        Err(_) => Err(Refusal::new("find -newer than a file that is not there")),
    };
    let parsed = expr::parse(expression, &newer)?;
    let starts = if starts.is_empty() {
        &[&b"."[..]][..]
    } else {
        starts
    };
    let batches = vec![Vec::new(); parsed.batches];
    let mut walk = Walk {
        parsed: &parsed,
        call,
        status: 0,
        quit: false,
        batches,
        line: Vec::new(),
        visits: 0,
    };
    for &start in starts {
        match input::look(walk.call, start, follow_start)? {
            Ok(node) => {
                let mut path = start.to_vec();
                let entry = Entry {
                    name: node.name(),
                    kind: node.kind(),
                    node,
                };
                walk.visit(entry, &mut path, start.len(), 0)?;
            }
            Err(reason) => {
                let name = quote::curly(start)?;
                input::complain(
                    walk.call,
                    &[b"find: ", &name, b": ", reason.as_bytes(), b"\n"],
                );
                walk.status = 1;
            }
        }
        if walk.quit || walk.call.out.full() {
            break;
        }
    }
    walk.finish_batches(&parsed.expr)?;
    Ok(walk.status)
}

struct Walk<'w, 'c> {
    parsed: &'w Parsed,
    call: &'w mut Call<'c>,
    status: i32,
    quit: bool,
    batches: Vec<Vec<Vec<u8>>>,
    line: Vec<u8>,
    visits: u32,
}

/// What one node is to the expression.
struct Here<'a, 'p> {
    node: Node<'a>,
    kind: Kind,
    name: &'p [u8],
    path: &'p [u8],
    /// The length of the starting point in `path`.
    start: usize,
    depth: usize,
    prune: bool,
}

impl<'c> Walk<'_, 'c> {
    fn visit(
        &mut self,
        entry: Entry<'c>,
        path: &mut Vec<u8>,
        start: usize,
        depth: usize,
    ) -> Result<(), Refusal> {
        if self.call.out.full() {
            return Ok(());
        }
        if depth > 1000 {
            return Err(Refusal::new("folders nested beyond 1000"));
        }
        self.visits += 1;
        if self.visits.is_multiple_of(VISITS) {
            self.call.deadline.check()?;
        }
        let mut prune = false;
        if !self.parsed.depth_first {
            prune = self.evaluate(entry, path, start, depth)?;
        }
        if entry.kind == Kind::Folder && !prune && depth < self.parsed.max_depth && !self.quit {
            let entries = entry
                .node
                .entries_as_fts()
                .map_err(|_| Refusal::new("a folder not in memory"))?;
            let len = path.len();
            for entry in entries {
                if !path.ends_with(b"/") {
                    path.push(b'/');
                }
                path.extend_from_slice(entry.name);
                self.visit(entry, path, start, depth + 1)?;
                path.truncate(len);
                if self.quit {
                    return Ok(());
                }
            }
        }
        if self.parsed.depth_first && !self.quit {
            self.evaluate(entry, path, start, depth)?;
        }
        Ok(())
    }

    fn evaluate(
        &mut self,
        entry: Entry<'c>,
        path: &[u8],
        start: usize,
        depth: usize,
    ) -> Result<bool, Refusal> {
        if depth < self.parsed.min_depth {
            return Ok(false);
        }
        let mut here = Here {
            node: entry.node,
            kind: entry.kind,
            name: if depth == 0 { base(path) } else { entry.name },
            path,
            start,
            depth,
            prune: false,
        };
        let parsed = self.parsed;
        self.holds(&parsed.expr, &mut here)?;
        Ok(here.prune)
    }

    fn holds(&mut self, expr: &Expr, here: &mut Here<'c, '_>) -> Result<bool, Refusal> {
        if self.quit {
            return Ok(false);
        }
        let meta = || here.node.meta(); // most expressions ask for names alone
        Ok(match expr {
            Expr::And(a, b) => self.holds(a, here)? && self.holds(b, here)?,
            Expr::Or(a, b) => self.holds(a, here)? || self.holds(b, here)?,
            Expr::Not(a) => !self.holds(a, here)?,
            Expr::True => true,
            Expr::False => false,
            Expr::Name(pattern) => pattern.matches(here.name)?,
            Expr::Path(pattern) => pattern.matches(here.path)?,
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
                        .map_err(|_| Refusal::new("a folder not in memory"))?
                        .len()
                        == 0
                }
                _ => false,
            },
            Expr::Size(compare, unit) => compare.holds(meta().size.div_ceil(*unit)),
            Expr::Newer(than) => meta().mtime > *than,
            Expr::Perm(how, bits) => match how {
                b'-' => meta().mode & bits == *bits,
                b'/' => *bits == 0 || meta().mode & bits != 0,
                _ => meta().mode & 0o7777 == *bits,
            },
            Expr::Access(bit) => {
                // As the kernel sees it: a link is what it leads to.
                let followed = match here.kind {
                    Kind::Link => input::look(self.call, here.path, true)?,
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
                self.line.clear();
                self.line.extend_from_slice(here.path);
                self.line.push(b'\n');
                self.call.out.write(&self.line);
                true
            }
            Expr::Print0 => {
                self.call.out.write(&[here.path, b"\0"].concat());
                true
            }
            Expr::Printf(pieces) => {
                let text = format(pieces, here);
                self.call.out.write(&text);
                true
            }
            Expr::Exec(words) => {
                let words: Vec<Vec<u8>> = words.iter().map(|w| replace(w, here.path)).collect();
                self.run(&words)? == 0
            }
            Expr::ExecPlus(words, batch) => {
                let collected = &mut self.batches[*batch];
                let size = batch::size(words) + batch::size(collected);
                if size + here.path.len() + 1 > batch::SIZE {
                    let full = std::mem::take(collected);
                    self.run_batch(words, full)?;
                }
                self.batches[*batch].push(here.path.to_vec());
                true
            }
        })
    }

    fn run(&mut self, words: &[Vec<u8>]) -> Result<i32, Refusal> {
        if !matches!(self.call.stdin, Stdin::DevNull) {
            return Err(Refusal::new("find -exec where standard input is not empty"));
        }
        batch::run(self.call, words, Stdin::DevNull)
    }

    fn run_batch(&mut self, words: &[Vec<u8>], paths: Vec<Vec<u8>>) -> Result<(), Refusal> {
        if paths.is_empty() {
            return Err(Refusal::new("an item of find -exec + that does not fit"));
        }
        let words: Vec<Vec<u8>> = words.iter().cloned().chain(paths).collect();
        if self.run(&words)? != 0 {
            self.status = 1;
        }
        Ok(())
    }

    /// Runs what `-exec … +` still holds, in the order of the expression.
    fn finish_batches(&mut self, expr: &Expr) -> Result<(), Refusal> {
        match expr {
            Expr::And(a, b) | Expr::Or(a, b) => {
                self.finish_batches(a)?;
                self.finish_batches(b)
            }
            Expr::Not(a) => self.finish_batches(a),
            Expr::ExecPlus(words, batch) => {
                let paths = std::mem::take(&mut self.batches[*batch]);
                if paths.is_empty() {
                    Ok(())
                } else {
                    self.run_batch(words, paths)
                }
            }
            _ => Ok(()),
        }
    }
}

/// The last component, without the slashes behind it.
fn base(path: &[u8]) -> &[u8] {
    let end = path
        .iter()
        .rposition(|&b| b != b'/')
        .map_or(path.len().min(1), |i| i + 1);
    let path = &path[..end];
    match memchr::memrchr(b'/', path) {
        Some(i) if i + 1 < path.len() => &path[i + 1..],
        _ => path,
    }
}

fn letter(mode: u32) -> u8 {
    match mode & libc::S_IFMT {
        libc::S_IFREG => b'f',
        libc::S_IFDIR => b'd',
        libc::S_IFLNK => b'l',
        libc::S_IFIFO => b'p',
        libc::S_IFSOCK => b's',
        libc::S_IFBLK => b'b',
        _ => b'c',
    }
}

fn replace(word: &[u8], path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len() + path.len());
    let mut from = 0;
    for at in memchr::memmem::find_iter(word, b"{}") {
        out.extend_from_slice(&word[from..at]);
        out.extend_from_slice(path);
        from = at + 2;
    }
    out.extend_from_slice(&word[from..]);
    out
}

fn format(pieces: &[Piece], here: &Here) -> Vec<u8> {
    let mut out = Vec::new();
    let meta = here.node.meta();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text),
            Piece::Field(b'p') => out.extend_from_slice(here.path),
            Piece::Field(b'f') => {
                let name = base(here.path);
                out.extend_from_slice(name);
                // A starting point keeps one of the slashes behind it.
                if here.path.ends_with(b"/") && name != b"/" {
                    out.push(b'/');
                }
            }
            Piece::Field(b'h') => {
                let end = here.path.iter().rposition(|&b| b != b'/');
                let path = end.map_or(&here.path[..1], |end| &here.path[..=end]);
                match memchr::memrchr(b'/', path) {
                    Some(i) => out.extend_from_slice(&path[..i]),
                    None => out.push(b'.'),
                }
            }
            Piece::Field(b'H') => out.extend_from_slice(&here.path[..here.start]),
            Piece::Field(b'P') => {
                let rest = &here.path[here.start..];
                out.extend_from_slice(rest.strip_prefix(b"/").unwrap_or(rest));
            }
            Piece::Field(b'd') => out.extend_from_slice(here.depth.to_string().as_bytes()),
            Piece::Field(b's') => out.extend_from_slice(meta.size.to_string().as_bytes()),
            Piece::Field(b'm') => {
                out.extend_from_slice(format!("{:o}", meta.mode & 0o7777).as_bytes())
            }
            Piece::Field(b'M') => out.extend_from_slice(times::mode(meta.mode).as_bytes()),
            Piece::Field(b'y') => out.push(letter(meta.mode)),
            Piece::Field(b'l') => out.extend_from_slice(here.node.link_target().unwrap_or(b"")),
            Piece::Field(b'i') => out.extend_from_slice(meta.ino.to_string().as_bytes()),
            Piece::Field(_) => out.extend_from_slice(meta.nlink.to_string().as_bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn the_base_name_ignores_slashes_behind_it() {
        let names = [&b"a/b"[..], b"a/b//", b".", b"./", b"/", b"//"].map(base);
        assert_eq!(names, [&b"b"[..], b"b", b".", b".", b"/", b"/"]);
    }
}
