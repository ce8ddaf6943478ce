//! The lines of a listing, their columns aligned.

use std::borrow::Cow;
use std::io::Write as _;

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
    ///
    /// # Errors
    /// Where a device is listed in the long form.
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
            if flags.inode {
                w.inode = w.inode.max(digits(e.meta.ino));
            }
            if flags.blocks {
                w.blocks = w.blocks.max(space_width(e.meta.blocks, flags));
            }
            if flags.long {
                let (owner, group) = owners(call, e, flags);
                w.nlink = w.nlink.max(digits(e.meta.nlink));
                w.owner = w.owner.max(owner.len());
                w.group = w.group.max(group.len());
                w.size = w.size.max(match flags.human {
                    true => times::human(e.meta.size).len(),
                    false => digits(e.meta.size),
                });
            }
        }
        Ok(w)
    }
}

/// How many decimal digits a number has.
fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// The names of an entry's owner and group.
fn owners<'w>(call: &Call<'w>, e: &Entry<'_>, flags: &Flags) -> (Cow<'w, str>, Cow<'w, str>) {
    let (uid, gid) = call.world.owner(e.meta.uid, e.meta.gid);
    (
        call.world.user(uid, flags.numeric),
        call.world.group(gid, flags.numeric),
    )
}

/// Prints a line for each of `entries`.
pub fn list(call: &mut Call, entries: &[Entry], w: &Widths, flags: &Flags) {
    let mut line = Vec::new();
    for e in entries {
        if call.out.full() {
            break;
        }
        line.clear();
        // Writing to memory does not fail.
        let _ = columns(&mut line, call, e, w, flags);
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

/// What stands before an entry's name.
fn columns(
    line: &mut Vec<u8>,
    call: &Call<'_>,
    e: &Entry<'_>,
    w: &Widths,
    flags: &Flags,
) -> std::io::Result<()> {
    if flags.inode {
        write!(line, "{:>1$} ", e.meta.ino, w.inode)?;
    }
    if flags.blocks {
        write!(line, "{:>1$} ", space(e.meta.blocks, flags), w.blocks)?;
    }
    if !flags.long {
        return Ok(());
    }
    let mode = times::mode(e.meta.mode);
    write!(line, "{mode} {:>1$} ", e.meta.nlink, w.nlink)?;
    let (owner, group) = owners(call, e, flags);
    if !flags.no_owner {
        column(line, &owner, w.owner)?;
    }
    if !flags.no_group {
        column(line, &group, w.group)?;
    }
    match flags.human {
        true => write!(line, "{:>1$}", times::human(e.meta.size), w.size)?,
        false => write!(line, "{:>1$}", e.meta.size, w.size)?,
    }
    let time = match flags.style {
        TimeStyle::Default => times::recent_or_year(e.meta.mtime, flags.now),
        TimeStyle::LongIso => times::long_iso(e.meta.mtime),
        TimeStyle::FullIso => times::full_iso(e.meta.mtime),
    };
    write!(line, " {time} ")
}

/// Space on disk, of so many blocks of 512 bytes.
pub fn space(blocks: u64, flags: &Flags) -> String {
    match flags.human {
        true => times::human(blocks * 512),
        false => blocks.div_ceil(2).to_string(),
    }
}

/// How many characters [`space`] takes.
fn space_width(blocks: u64, flags: &Flags) -> usize {
    match flags.human {
        true => space(blocks, flags).len(),
        false => digits(blocks.div_ceil(2)),
    }
}

/// An owner: names to the left, numbers to the right.
fn column(line: &mut Vec<u8>, text: &str, width: usize) -> std::io::Result<()> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        write!(line, "{text:>width$} ")
    } else {
        write!(line, "{text:<width$} ")
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
