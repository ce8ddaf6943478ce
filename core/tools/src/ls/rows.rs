//! The lines of a listing, their columns aligned.

use super::entry::Entry;
use super::flags::{Flags, TimeStyle};
use crate::{times, Call, Refusal};

/// The columns of the long format.
#[derive(Default)]
pub struct Widths {
    inode: usize,
    blocks: usize,
    nlink: usize,
    owner: usize,
    group: usize,
    size: usize,
}

impl Widths {
    /// The widths that all of `entries` need.
    pub fn of<'e, 'a: 'e>(
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
            blocks: space(e.meta.blocks, flags),
            size: match human {
                true => times::human(e.meta.size),
                false => e.meta.size.to_string(),
            },
            owner: match flags.long && !flags.no_owner {
                true => call.world.user(uid, flags.numeric),
                false => String::new(),
            },
            group: match flags.long && !flags.no_group {
                true => call.world.group(gid, flags.numeric),
                false => String::new(),
            },
        }
    }
}

/// Prints a line for each of `entries`.
pub fn list(call: &mut Call, entries: &[Entry], w: &Widths, flags: &Flags) {
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
            if !flags.no_owner {
                row.push_str(&column(&owner, w.owner));
            }
            if !flags.no_group {
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

/// Space on disk, of so many blocks of 512 bytes.
pub fn space(blocks: u64, flags: &Flags) -> String {
    match flags.human {
        true => times::human(blocks * 512),
        false => blocks.div_ceil(2).to_string(),
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

/// What `-F` and `-p` put behind a name.
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
