//! `tree` 2.1: the listing with lines.

use curserve_corpus::{Entry, Kind, Node};
use curserve_text::fnmatch::Pattern;

use crate::input;
use crate::{Call, Refusal};
use curserve_text::options::{letter, long, other, Number, Style, Table, Takes};

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    All,
    FoldersOnly,
    Full,
    Classify,
    Flat,
    Ignore,
    Levels,
    Plain,
    Only,
    Reverse,
    NoReport,
    FoldersFirst,
}

const LEVELS: Number = Number::between(1, i32::MAX as u64).without_zeros();

/// The options of `tree` that are read here; long ones of others may take the next word, and are refused.
pub(crate) const TABLE: Table<Key> = Table::new(
    Style::NextWord,
    &[
        letter(Key::All, 'a', Takes::Nothing),
        letter(Key::FoldersOnly, 'd', Takes::Nothing),
        letter(Key::Full, 'f', Takes::Nothing),
        letter(Key::Classify, 'F', Takes::Nothing),
        letter(Key::Flat, 'i', Takes::Nothing),
        letter(Key::Ignore, 'I', Takes::Text),
        letter(Key::Levels, 'L', Takes::Number(&LEVELS)),
        letter(Key::Plain, 'n', Takes::Nothing),
        letter(Key::Plain, 'N', Takes::Nothing),
        letter(Key::Only, 'P', Takes::Text),
        letter(Key::Reverse, 'r', Takes::Nothing),
        long(Key::NoReport, "noreport", Takes::Nothing),
        long(Key::FoldersFirst, "dirsfirst", Takes::Nothing),
        other(' ', "prune", Takes::Nothing),
        other('l', "", Takes::Nothing),
        other('x', "", Takes::Nothing),
        other('R', "", Takes::Nothing),
        other('o', "", Takes::Text),
        other('q', "", Takes::Nothing),
        other('Q', "", Takes::Nothing),
        other('p', "", Takes::Nothing),
        other('u', "", Takes::Nothing),
        other('g', "", Takes::Nothing),
        other('s', "", Takes::Nothing),
        other('h', "", Takes::Nothing),
        other('D', "", Takes::Nothing),
        other('v', "", Takes::Nothing),
        other('t', "", Takes::Nothing),
        other('c', "", Takes::Nothing),
        other('U', "", Takes::Nothing),
        other('A', "", Takes::Nothing),
        other('S', "", Takes::Nothing),
        other('C', "", Takes::Nothing),
        other('X', "", Takes::Nothing),
        other('J', "", Takes::Nothing),
        other('H', "", Takes::Text),
        other('T', "", Takes::Text),
        other(' ', "gitignore", Takes::Nothing),
        other(' ', "ignore-case", Takes::Nothing),
        other(' ', "matchdirs", Takes::Nothing),
        other(' ', "filesfirst", Takes::Nothing),
        other(' ', "du", Takes::Nothing),
        other(' ', "si", Takes::Nothing),
        other(' ', "filelimit", Takes::Text),
        other(' ', "sort", Takes::Text),
        other(' ', "charset", Takes::Text),
        other(' ', "timefmt", Takes::Text),
        other(' ', "inodes", Takes::Nothing),
        other(' ', "device", Takes::Nothing),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
);

struct Tree {
    all: bool,
    folders_only: bool,
    full: bool,
    classify: bool,
    flat: bool,
    reverse: bool,
    folders_first: bool,
    levels: usize,
    ignore: Vec<Pattern>,
    only: Vec<Pattern>,
    folders: u64,
    files: u64,
}

/// Runs `tree`.
///
/// # Errors
/// Where an option is not done here, or a name does not print.
pub fn tree(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    if let Some(message) = complaint(&args) {
        call.complain(&[b"tree: ", message, b"\n"].concat());
        return Ok(1);
    }
    let parsed = TABLE.parse(&args)?;
    let mut t = Tree {
        all: false,
        folders_only: false,
        full: false,
        classify: false,
        flat: false,
        reverse: false,
        folders_first: false,
        levels: usize::MAX,
        ignore: Vec::new(),
        only: Vec::new(),
        folders: 0,
        files: 0,
    };
    let mut report = true;
    for given in &parsed.options {
        match given.key {
            Key::All => t.all = true,
            Key::FoldersOnly => t.folders_only = true,
            Key::Full => t.full = true,
            Key::Classify => t.classify = true,
            Key::Flat => t.flat = true,
            Key::Reverse => t.reverse = true,
            Key::Plain => {}
            Key::Levels => t.levels = given.number() as usize,
            Key::Ignore => t.ignore.extend(patterns(given.text())?),
            Key::Only => t.only.extend(patterns(given.text())?),
            Key::NoReport => report = false,
            Key::FoldersFirst => t.folders_first = true,
        }
    }
    // -d shows no marks but for the starting point.
    if t.classify && t.folders_only {
        return Err(Refusal::new("tree -d -F"));
    }
    let mut operands = parsed.operands;
    if operands.is_empty() {
        operands.push(b".");
    }
    if operands.len() > 1 {
        return Err(Refusal::new("tree of several folders"));
    }
    let operand = operands[0];
    printable(operand)?;
    // Seen: with -f a starting point loses all slashes behind it, but the one of `/`.
    let mut operand = operand;
    while let (true, [rest @ .., b'/']) = (t.full && operand.len() > 1, operand) {
        operand = rest;
    }
    if let Ok(node) = input::look(call, operand, false)? {
        if t.classify && node.kind() != Kind::Folder {
            return Err(Refusal::new("tree -F of what is no folder"));
        }
    }
    let node = match input::look(call, operand, true)? {
        Ok(node) if node.kind() == Kind::Folder => node,
        _ => {
            // What is there but no folder counts as a file, and is no error.
            let there = input::look(call, operand, false)?.is_ok();
            call.out
                .write(&[operand, b"  [error opening dir]\n"].concat());
            if report {
                call.out.write(match (t.folders_only, there) {
                    (true, _) => b"\n0 directories\n",
                    (false, true) => b"\n0 directories, 1 file\n",
                    (false, false) => b"\n0 directories, 0 files\n",
                });
            }
            return Ok(if there { 0 } else { 2 });
        }
    };
    call.out.write(operand);
    if t.classify {
        call.out.write(b"/");
    }
    call.out.write(b"\n");
    t.level(call, node, operand, &mut String::new(), 1)?;
    if report {
        let plural =
            |n: u64, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        let folders = plural(t.folders, "directory", "directories");
        let text = match t.folders_only {
            true => format!("\n{folders}\n"),
            false => format!("\n{folders}, {}\n", plural(t.files, "file", "files")),
        };
        call.out.write(text.as_bytes());
    }
    Ok(0)
}

/// What tree says of a `-L` without a level: `-L1`, which agents write, takes the next word too.
fn complaint(args: &[&[u8]]) -> Option<&'static [u8]> {
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let letters = match word {
            [b'-', b'-', ..] | [] => return None,
            [b'-', letters @ ..] => letters,
            _ => continue,
        };
        for letter in letters {
            let known = TABLE
                .known
                .iter()
                .find(|known| known.letter == Some(*letter))?;
            match known.takes {
                Takes::Nothing => {}
                _ if *letter != b'L' => return None,
                _ => match words.next().copied() {
                    None => return Some(b"Missing argument to -L option."),
                    Some([b'a'..=b'z' | b'A'..=b'Z' | b'.', ..] | b"0") => {
                        return Some(b"Invalid level, must be greater than 0.")
                    }
                    Some(level) if LEVELS.read(level).is_ok() => {}
                    Some(_) => return None,
                },
            }
        }
    }
    None
}

fn patterns(text: &[u8]) -> Result<Vec<Pattern>, Refusal> {
    // Seen: patterns of tree match otherwise than fnmatch(3) where brackets, slashes or backslashes are used.
    if text.iter().any(|b| b"[]\\/{}".contains(b)) || memchr::memmem::find(text, b"**").is_some() {
        return Err(Refusal::new("a pattern of tree with more than * and ?"));
    }
    text.split(|&b| b == b'|')
        .map(|p| Pattern::new(p, false))
        .collect()
}

fn printable(name: &[u8]) -> Result<(), Refusal> {
    let fine = |c: char| (' '..'\u{7f}').contains(&c) && c != '\\' || crate::wc::clearly_prints(c);
    match std::str::from_utf8(name) {
        Ok(name) if name.chars().all(fine) => Ok(()),
        _ => Err(Refusal::new("a name that tree would escape")),
    }
}

impl Tree {
    fn level<'a>(
        &mut self,
        call: &mut Call<'a>,
        node: Node<'a>,
        path: &[u8],
        indent: &mut String,
        level: usize,
    ) -> Result<(), Refusal> {
        if call.out.full() {
            return Ok(());
        }
        if level > 500 {
            return Err(Refusal::new("folders nested beyond 500"));
        }
        let mut shown = Vec::new();
        for Entry {
            name, node: child, ..
        } in node
            .entries()
            .map_err(|_| Refusal::NotInMemory("a folder not in memory".into()))?
        {
            let folder = self.leads_to_folder(call, child)?;
            if name.starts_with(b".") && !self.all || self.folders_only && !folder {
                continue;
            }
            let mut ignored = false;
            for pattern in &self.ignore {
                ignored |= pattern.matches(name)?;
            }
            let mut chosen = self.only.is_empty() || folder && child.kind() == Kind::Folder;
            for pattern in &self.only {
                chosen = chosen || pattern.matches(name)?;
            }
            if !ignored && chosen {
                printable(name)?;
                shown.push((name, child));
            }
        }
        shown.sort_by(|a, b| {
            if self.reverse {
                b.0.cmp(a.0)
            } else {
                a.0.cmp(b.0)
            }
        });
        if self.folders_first {
            let folder = |n: &Node| n.kind() == Kind::Folder;
            if shown.iter().any(|s| s.1.kind() == Kind::Link) {
                return Err(Refusal::new("tree --dirsfirst with links"));
            }
            shown.sort_by_key(|s| !folder(&s.1));
        }
        let last = shown.len().saturating_sub(1);
        // The root counts as a folder where anything is listed below it.
        self.folders += u64::from(level == 1 && !shown.is_empty());
        call.deadline.check()?;
        for (i, (name, child)) in shown.into_iter().enumerate() {
            let slash: &[u8] = if path.ends_with(b"/") { b"" } else { b"/" };
            let child_path = [path, slash, name].concat();
            let mut line = Vec::new();
            if !self.flat {
                line.extend_from_slice(indent.as_bytes());
                line.extend_from_slice(
                    if i == last {
                        "└── "
                    } else {
                        "├── "
                    }
                    .as_bytes(),
                );
            }
            line.extend_from_slice(if self.full { &child_path } else { name });
            if let Some(target) = child.link_target() {
                printable(target)?;
                if self.classify {
                    return Err(Refusal::new("tree -F with links"));
                }
                line.extend_from_slice(b" -> ");
                line.extend_from_slice(target);
            } else if self.classify {
                line.extend_from_slice(match child.kind() {
                    Kind::Folder => b"/",
                    Kind::File if child.meta().mode & 0o111 != 0 => b"*",
                    Kind::File => b"",
                    _ => return Err(Refusal::new("tree -F with a FIFO, socket or device")),
                });
            }
            line.push(b'\n');
            call.out.write(&line);
            if self.leads_to_folder(call, child)? {
                self.folders += 1;
            } else {
                self.files += 1;
            }
            if child.kind() == Kind::Folder && level < self.levels {
                let len = indent.len();
                indent.push_str(if i == last {
                    "    "
                } else {
                    "│\u{a0}\u{a0} "
                });
                self.level(call, child, &child_path, indent, level + 1)?;
                indent.truncate(len);
            }
        }
        Ok(())
    }

    /// Whether tree counts it as a folder: a link that leads to one does.
    fn leads_to_folder(&self, call: &Call, node: Node) -> Result<bool, Refusal> {
        match node.kind() {
            Kind::Folder => Ok(true),
            Kind::Link => match input::look(call, &node.path(), true)? {
                Ok(followed) => Ok(followed.kind() == Kind::Folder),
                Err(_) => Ok(false),
            },
            _ => Ok(false),
        }
    }
}
