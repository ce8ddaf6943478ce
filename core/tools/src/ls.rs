//! `ls`, as it prints where standard output is no terminal: one name a line, nothing quoted.

use std::time::{SystemTime, UNIX_EPOCH};

use curserve_corpus::{Kind, Meta, Node};

use crate::input;
use crate::opts::{self, Takes};
use crate::{quote, times, Call, Refusal};

const GROUP_DIRS: u8 = 200;
const COLOR: u8 = 201;
const FULL_TIME: u8 = 202;
const TIME_STYLE: u8 = 203;
const HIDE: u8 = 204;

const KNOWN: &[opts::Known] = &[
    (b'a', "all", Takes::Nothing),
    (b'A', "almost-all", Takes::Nothing),
    (b'1', "", Takes::Nothing),
    (b'B', "ignore-backups", Takes::Nothing),
    (b'd', "directory", Takes::Nothing),
    (b'F', "classify", Takes::Maybe),
    (b'g', "", Takes::Nothing),
    (b'G', "no-group", Takes::Nothing),
    (b'h', "human-readable", Takes::Nothing),
    (b'i', "inode", Takes::Nothing),
    (b'I', "ignore", Takes::Value),
    (b'l', "", Takes::Nothing),
    (b'L', "dereference", Takes::Nothing),
    (b'n', "numeric-uid-gid", Takes::Nothing),
    (b'N', "literal", Takes::Nothing),
    (b'o', "", Takes::Nothing),
    (b'p', "", Takes::Nothing),
    (b'r', "reverse", Takes::Nothing),
    (b'R', "recursive", Takes::Nothing),
    (b's', "size", Takes::Nothing),
    (b'S', "", Takes::Nothing),
    (b't', "", Takes::Nothing),
    (b'U', "", Takes::Nothing),
    (b'X', "", Takes::Nothing),
    (GROUP_DIRS, "group-directories-first", Takes::Nothing),
    (COLOR, "color", Takes::Maybe),
    (FULL_TIME, "full-time", Takes::Nothing),
    (TIME_STYLE, "time-style", Takes::Value),
    (HIDE, "hide", Takes::Value),
];

#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Name,
    Time,
    Size,
    None,
}

#[derive(Clone, Copy, PartialEq)]
enum TimeStyle {
    Default,
    LongIso,
    FullIso,
}

struct Flags {
    all: bool,
    almost: bool,
    backups: bool,
    directory: bool,
    classify: bool,
    slash: bool,
    long: bool,
    owner: bool,
    group: bool,
    numeric: bool,
    human: bool,
    inode: bool,
    blocks: bool,
    recursive: bool,
    reverse: bool,
    follow: bool,
    sort: Sort,
    folders_first: bool,
    style: TimeStyle,
    ignore: Vec<crate::fnmatch::Pattern>,
    now: (i64, i64),
}

/// One line of a listing.
struct Entry<'a> {
    name: Vec<u8>,
    meta: Meta,
    target: Option<&'a [u8]>,
    /// Where the target leads, for `-F`.
    target_mode: Option<u32>,
    /// It is a folder, or a link to one.
    leads_to_folder: bool,
}

impl Entry<'_> {
    fn is_folder(&self) -> bool {
        self.meta.kind() == Kind::Folder
    }
}

/// Runs `ls`.
pub fn ls(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = opts::parse(KNOWN, &args, false)?;
    let flags = parse_flags(&parsed)?;
    let mut operands = parsed.operands;
    if operands.is_empty() {
        operands.push(b".");
    }
    let several = operands.len() > 1;
    let (mut status, mut files, mut folders) = (0, Vec::new(), Vec::new());
    for operand in operands {
        // Without -l, -d and -F a link that leads to a folder is listed as that folder.
        let follow_folders = !(flags.long || flags.directory || flags.classify);
        let mut node = input::look(call, operand, flags.follow)?;
        if follow_folders && !flags.follow {
            if let Ok(Ok(followed)) = input::look(call, operand, true) {
                if followed.kind() == Kind::Folder {
                    node = Ok(followed);
                }
            }
        }
        match node {
            Err(reason) => {
                let name = quote::always(operand)?;
                input::complain(
                    call,
                    &[
                        b"ls: cannot access ",
                        &name,
                        b": ",
                        reason.as_bytes(),
                        b"\n",
                    ],
                );
                status = 2;
            }
            Ok(node) if node.kind() == Kind::Folder && !flags.directory => {
                folders.push((entry(call, node, operand.to_vec(), &flags)?, node))
            }
            Ok(node) => files.push(entry(call, node, operand.to_vec(), &flags)?),
        }
    }
    let had_files = !files.is_empty();
    sort(&mut files, &flags, |e| e);
    // The columns of the files are as wide as the folders among the operands need, too.
    let all = files.iter().chain(folders.iter().map(|f| &f.0));
    let widths = Widths::of(call, all, &flags)?;
    list(call, &files, &widths, &flags);
    sort(&mut folders, &flags, |f| &f.0);
    let headers = several || flags.recursive;
    let mut first = !had_files;
    for (e, node) in folders {
        folder(call, &e.name, node, &flags, headers, &mut first, 0)?;
    }
    Ok(status)
}

fn parse_flags(parsed: &opts::Parsed) -> Result<Flags, Refusal> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut f = Flags {
        all: false,
        almost: false,
        backups: false,
        directory: false,
        classify: false,
        slash: false,
        long: false,
        owner: true,
        group: true,
        numeric: false,
        human: false,
        inode: false,
        blocks: false,
        recursive: false,
        reverse: false,
        follow: false,
        sort: Sort::Name,
        folders_first: false,
        style: TimeStyle::Default,
        ignore: Vec::new(),
        now: (now.as_secs() as i64, i64::from(now.subsec_nanos())),
    };
    for &(key, value) in &parsed.options {
        match (key, value) {
            (b'a', _) => (f.all, f.almost) = (true, false),
            (b'A', _) => (f.all, f.almost) = (false, true),
            (b'1' | b'N', _) => {}
            (b'B', _) => f.backups = true,
            (b'd', _) => f.directory = true,
            (b'F', None) => (f.classify, f.slash) = (true, false),
            (b'g', _) => (f.long, f.owner) = (true, false),
            (b'G', _) => f.group = false,
            (b'h', _) => f.human = true,
            (b'i', _) => f.inode = true,
            (b'I', Some(v)) => f.ignore.push(crate::fnmatch::Pattern::new(v, false)?),
            (b'l', _) => f.long = true,
            (b'L', _) => f.follow = true,
            (b'n', _) => (f.long, f.numeric) = (true, true),
            (b'o', _) => (f.long, f.group) = (true, false),
            (b'p', _) => (f.classify, f.slash) = (false, true),
            (b'r', _) => f.reverse = true,
            (b'R', _) => f.recursive = true,
            (b's', _) => f.blocks = true,
            (b'S', _) => f.sort = Sort::Size,
            (b't', _) => f.sort = Sort::Time,
            (b'U', _) => f.sort = Sort::None,
            (GROUP_DIRS, _) => f.folders_first = true,
            (COLOR, Some(b"never" | b"auto" | b"no" | b"none")) => {}
            (FULL_TIME, _) => (f.long, f.style) = (true, TimeStyle::FullIso),
            (TIME_STYLE, Some(b"long-iso")) => f.style = TimeStyle::LongIso,
            (TIME_STYLE, Some(b"full-iso")) => f.style = TimeStyle::FullIso,
            _ => return Err(Refusal::new("an option of ls not known here")),
        }
    }
    // Where -d is, -R lists nothing; -L changes what a link is at every step.
    if f.recursive && (f.follow || f.directory) {
        return Err(Refusal::new("options of ls that work upon each other"));
    }
    Ok(f)
}

fn entry<'a>(
    call: &Call<'a>,
    node: Node<'a>,
    name: Vec<u8>,
    flags: &Flags,
) -> Result<Entry<'a>, Refusal> {
    let target = node.link_target();
    let mut target_mode = None;
    if target.is_some() && flags.long && flags.classify {
        // Where a link leads matters to -F alone; a link that leads nowhere gets no mark.
        target_mode = input::look(call, &node.path(), true)?
            .ok()
            .map(|n| n.meta().mode);
    }
    let leads_to_folder = match node.kind() {
        Kind::Link if flags.folders_first => match input::look(call, &node.path(), true)? {
            Ok(node) => node.kind() == Kind::Folder,
            Err(_) => false,
        },
        kind => kind == Kind::Folder,
    };
    Ok(Entry {
        name,
        meta: *node.meta(),
        target,
        target_mode,
        leads_to_folder,
    })
}

fn sort<T>(items: &mut [T], flags: &Flags, entry: impl Fn(&T) -> &Entry<'_>) {
    if flags.sort == Sort::None {
        return;
    }
    items.sort_by(|a, b| {
        let (a, b) = (entry(a), entry(b));
        let order = match flags.sort {
            Sort::Time => b
                .meta
                .mtime
                .cmp(&a.meta.mtime)
                .then_with(|| a.name.cmp(&b.name)),
            Sort::Size => b
                .meta
                .size
                .cmp(&a.meta.size)
                .then_with(|| a.name.cmp(&b.name)),
            _ => a.name.cmp(&b.name),
        };
        let order = if flags.reverse {
            order.reverse()
        } else {
            order
        };
        if flags.folders_first {
            b.leads_to_folder.cmp(&a.leads_to_folder).then(order)
        } else {
            order
        }
    });
}

fn folder<'a>(
    call: &mut Call<'a>,
    name: &[u8],
    node: Node<'a>,
    flags: &Flags,
    headers: bool,
    first: &mut bool,
    depth: usize,
) -> Result<(), Refusal> {
    if call.out.full() {
        return Ok(());
    }
    if depth > 500 {
        return Err(Refusal::new("folders nested beyond 500"));
    }
    let children = node
        .entries()
        .map_err(|_| Refusal::new("a folder not in memory"))?;
    let mut entries = Vec::new();
    if flags.all {
        entries.push(Entry {
            name: b".".to_vec(),
            meta: *node.meta(),
            target: None,
            target_mode: None,
            leads_to_folder: true,
        });
        let parent = match node.parent() {
            Some(parent) => *parent.meta(),
            None if !flags.long && !flags.blocks && !flags.inode && flags.sort == Sort::Name => {
                *node.meta()
            }
            None => call
                .snapshot
                .parent_meta()
                .ok_or_else(|| Refusal::new("what lies above the root"))?,
        };
        entries.push(Entry {
            name: b"..".to_vec(),
            meta: parent,
            target: None,
            target_mode: None,
            leads_to_folder: true,
        });
    }
    for (child_name, child) in children {
        let hidden = child_name.starts_with(b".") && !flags.all && !flags.almost;
        if hidden || flags.backups && child_name.ends_with(b"~") {
            continue;
        }
        let mut ignored = false;
        for pattern in &flags.ignore {
            ignored |= pattern.matches(child_name)?;
        }
        if ignored {
            continue;
        }
        let shown = if flags.follow && child.kind() == Kind::Link {
            let followed = call.snapshot.resolve(call.cwd, &child.path(), true);
            followed.map_err(|_| Refusal::new("a link that -L cannot follow"))?
        } else {
            child
        };
        entries.push(entry(call, shown, child_name.to_vec(), flags)?);
    }
    if flags.sort == Sort::None && flags.all {
        return Err(Refusal::new(
            "where . and .. come in the file system's order",
        ));
    }
    sort(&mut entries, flags, |e| e);
    if headers {
        if !*first {
            call.out.write(b"\n");
        }
        call.out.write(name);
        call.out.write(b":\n");
    }
    *first = false;
    if flags.long || flags.blocks {
        let blocks: u64 = entries.iter().map(|e| e.meta.blocks).sum();
        let total = if flags.human {
            times::human(blocks * 512)
        } else {
            blocks.div_ceil(2).to_string()
        };
        call.out.write(format!("total {total}\n").as_bytes());
    }
    let widths = Widths::of(call, entries.iter(), flags)?;
    list(call, &entries, &widths, flags);
    if flags.recursive {
        for e in entries
            .iter()
            .filter(|e| e.is_folder() && e.name != b"." && e.name != b"..")
        {
            let Some(child) = node.child(&e.name) else {
                continue;
            };
            let slash: &[u8] = if name.ends_with(b"/") { b"" } else { b"/" };
            folder(
                call,
                &[name, slash, &e.name].concat(),
                child,
                flags,
                headers,
                first,
                depth + 1,
            )?;
        }
    }
    Ok(())
}

/// The columns of the long format.
#[derive(Default)]
struct Widths {
    inode: usize,
    blocks: usize,
    nlink: usize,
    owner: usize,
    group: usize,
    size: usize,
}

impl Widths {
    fn of<'e, 'a: 'e>(
        call: &Call<'_>,
        entries: impl Iterator<Item = &'e Entry<'a>>,
        flags: &Flags,
    ) -> Result<Widths, Refusal> {
        let mut w = Widths::default();
        for e in entries {
            if flags.long && matches!(e.meta.mode & libc::S_IFMT, libc::S_IFCHR | libc::S_IFBLK) {
                return Err(Refusal::new("a device in a long listing"));
            }
            let row = Row::of(call, e, flags);
            w.inode = w.inode.max(e.meta.ino.to_string().len());
            w.blocks = w.blocks.max(row.blocks.len());
            w.nlink = w.nlink.max(e.meta.nlink.to_string().len());
            w.owner = w.owner.max(row.owner.len());
            w.group = w.group.max(row.group.len());
            w.size = w.size.max(row.size.len());
        }
        Ok(w)
    }
}

/// The texts of an entry whose columns are aligned.
struct Row {
    blocks: String,
    size: String,
    owner: String,
    group: String,
}

impl Row {
    fn of(call: &Call<'_>, e: &Entry<'_>, flags: &Flags) -> Row {
        let human = flags.human;
        let (uid, gid) = call.world.owner(e.meta.uid, e.meta.gid);
        Row {
            blocks: match human {
                true => times::human(e.meta.blocks * 512),
                false => e.meta.blocks.div_ceil(2).to_string(),
            },
            size: match human {
                true => times::human(e.meta.size),
                false => e.meta.size.to_string(),
            },
            owner: match flags.long && flags.owner {
                true => call.world.user(uid, flags.numeric),
                false => String::new(),
            },
            group: match flags.long && flags.group {
                true => call.world.group(gid, flags.numeric),
                false => String::new(),
            },
        }
    }
}

fn list(call: &mut Call, entries: &[Entry], w: &Widths, flags: &Flags) {
    for e in entries {
        if call.out.full() {
            break;
        }
        let Row {
            blocks,
            size,
            owner,
            group,
        } = Row::of(call, e, flags);
        let mut row = String::new();
        if flags.inode {
            row.push_str(&format!("{:>1$} ", e.meta.ino, w.inode));
        }
        if flags.blocks {
            row.push_str(&format!("{blocks:>0$} ", w.blocks));
        }
        if flags.long {
            row.push_str(&format!(
                "{} {:>2$} ",
                times::mode(e.meta.mode),
                e.meta.nlink,
                w.nlink
            ));
            if flags.owner {
                row.push_str(&column(&owner, w.owner));
            }
            if flags.group {
                row.push_str(&column(&group, w.group));
            }
            let time = match flags.style {
                TimeStyle::Default => times::recent_or_year(e.meta.mtime, flags.now),
                TimeStyle::LongIso => times::long_iso(e.meta.mtime),
                TimeStyle::FullIso => times::full_iso(e.meta.mtime),
            };
            row.push_str(&format!("{size:>0$} {time} ", w.size));
        }
        let mut line = row.into_bytes();
        line.extend_from_slice(&e.name);
        match (e.target, flags.long) {
            (Some(target), true) => {
                line.extend_from_slice(b" -> ");
                line.extend_from_slice(target);
                line.extend_from_slice(e.target_mode.map_or(b"", |mode| mark(mode, flags)));
            }
            _ => line.extend_from_slice(mark(e.meta.mode, flags)),
        }
        line.push(b'\n');
        call.out.write(&line);
    }
}

/// An owner: names to the left, numbers to the right.
fn column(text: &str, width: usize) -> String {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        format!("{text:>width$} ")
    } else {
        format!("{text:<width$} ")
    }
}

fn mark(mode: u32, flags: &Flags) -> &'static [u8] {
    match mode & libc::S_IFMT {
        libc::S_IFDIR if flags.classify || flags.slash => b"/",
        _ if !flags.classify => b"",
        libc::S_IFREG if mode & 0o111 != 0 => b"*",
        libc::S_IFLNK => b"@",
        libc::S_IFIFO => b"|",
        libc::S_IFSOCK => b"=",
        _ => b"",
    }
}
