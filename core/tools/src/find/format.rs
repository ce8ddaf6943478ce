//! The format of `-printf`, what it makes of a node, and the names that its directives and `-name` mean.

use curserve_corpus::Node;

use super::refuse::refuse;
use crate::{times, Refusal};

/// A part of the format of `-printf`.
pub enum Piece {
    /// These bytes.
    Text(Vec<u8>),
    /// This directive.
    Field(u8),
}

/// One node, as `-printf` shows it.
pub struct Shown<'n, 'p> {
    pub node: Node<'n>,
    pub path: &'p [u8],
    /// The length of the starting point in `path`.
    pub start: usize,
    pub depth: usize,
}

/// The last component, without the slashes behind it.
pub fn base(path: &[u8]) -> &[u8] {
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

/// The letter of `-type` for a mode.
pub fn letter(mode: u32) -> u8 {
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

/// A format, parsed.
pub(super) fn pieces(format: &[u8]) -> Result<Vec<Piece>, Refusal> {
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut bytes = format.iter().copied();
    while let Some(b) = bytes.next() {
        match b {
            b'\\' => text.push(match bytes.next() {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'0') => 0,
                Some(b'\\') => b'\\',
                _ => return refuse("an escape of -printf"),
            }),
            b'%' => match bytes.next() {
                Some(b'%') => text.push(b'%'),
                Some(
                    f @ (b'p' | b'f' | b'h' | b'P' | b'd' | b's' | b'm' | b'M' | b'y' | b'l' | b'i'
                    | b'n' | b'H'),
                ) => {
                    if !text.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text)));
                    }
                    pieces.push(Piece::Field(f));
                }
                _ => return refuse("a directive of -printf"),
            },
            _ => text.push(b),
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// `-printf`.
///
/// # Errors
/// Where a directive of it is not done here, or a value is not known.
pub fn format(pieces: &[Piece], here: &Shown<'_, '_>) -> Result<Vec<u8>, Refusal> {
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
                    // `find d/` was seen to give `d`, and `find deep/` and `find ./` the dot, but `find .//` gives `./`.
                    None if path.len() == 1
                        && here.path.ends_with(b"/")
                        && (path != b"." || here.path.ends_with(b"//")) =>
                    {
                        return refuse("%h of a single letter before a slash");
                    }
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
    Ok(out)
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
