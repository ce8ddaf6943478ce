//! What tools share: opening operands, splitting lines.

use curserve_corpus::{Kind, Node, Unreadable};
use curserve_text::quote;

use crate::{Call, Reason, Refusal, Stdin};

/// A file's bytes, or those of standard input.
pub type Content<'a> = &'a [u8];

/// What became of an operand.
pub enum Operand<'a> {
    /// Its bytes.
    Content(Content<'a>),
    /// It is a folder: opening works, reading fails.
    Directory,
    /// It cannot be opened.
    Failed(Reason),
}

/// What `stat` says of an operand before it is read.
pub enum Ahead {
    /// A regular file of this size.
    File(u64),
    /// Anything else that is there.
    Other,
    /// Nothing.
    Missing,
}

/// Looks a path up: the node, or the kernel's reason.
///
/// # Errors
/// Where it lies outside the root.
pub fn look<'a>(
    call: &Call<'a>,
    path: &[u8],
    follow: bool,
) -> Result<Result<Node<'a>, Reason>, Refusal> {
    match call.snapshot.resolve(call.cwd, path, follow) {
        Ok(node) => Ok(Ok(node)),
        Err(errno) => Reason::of(errno, path).map(Err),
    }
}

/// A file's bytes, where the corpus has them.
///
/// # Errors
/// Where it is not in memory.
pub fn bytes<'a>(node: Node<'a>) -> Result<Result<Content<'a>, Reason>, Refusal> {
    match node.bytes() {
        Ok(content) => Ok(Ok(content)),
        Err(Unreadable::Errno(libc::EACCES)) => Ok(Err(Reason::DENIED)),
        Err(_) => Err(Refusal::NotInMemory(format!(
            "a file not in memory: {}",
            String::from_utf8_lossy(&node.path())
        ))),
    }
}

/// Opens an operand; `-` is standard input.
///
/// # Errors
/// Where it lies outside the root, is not in memory, or is a FIFO, socket or device.
pub fn open<'a>(call: &Call<'a>, path: &[u8]) -> Result<Operand<'a>, Refusal> {
    if path == b"-" {
        return Ok(Operand::Content(stdin(call)));
    }
    if path == b"/dev/null" {
        return Ok(Operand::Content(b""));
    }
    let node = match look(call, path, true)? {
        Ok(node) => node,
        Err(reason) => return Ok(Operand::Failed(reason)),
    };
    match node.kind() {
        Kind::Folder => Ok(Operand::Directory),
        Kind::File => Ok(match bytes(node)? {
            Ok(content) => Operand::Content(content),
            Err(reason) => Operand::Failed(reason),
        }),
        Kind::Link | Kind::Other => Err(Refusal::new("a FIFO, socket or device")),
    }
}

/// As [`open`]; standard input is at its end from then on.
///
/// # Errors
/// As [`open`].
pub fn open_once<'a>(call: &mut Call<'a>, path: &[u8]) -> Result<Operand<'a>, Refusal> {
    let opened = open(call, path)?;
    if path == b"-" {
        call.stdin = Stdin::DevNull;
    }
    Ok(opened)
}

/// Refuses standard input named twice, for tools that may leave some of it to the second reading, or seek in it.
///
/// # Errors
/// Where it is named twice and is not empty.
pub fn named_once(call: &Call<'_>, operands: &[&[u8]]) -> Result<(), Refusal> {
    let dashes = operands.iter().filter(|operand| **operand == b"-");
    match (dashes.count(), call.stdin) {
        (0 | 1, _) | (_, Stdin::DevNull) => Ok(()),
        _ => Err(Refusal::new("standard input twice")),
    }
}

/// Refuses a pipe with a NUL that a program's first look at it may reach or not.
///
/// # Errors
/// Where there is one.
pub fn known_from_its_start(call: &Call<'_>) -> Result<(), Refusal> {
    const BLOCK: usize = 4096;
    match call.stdin {
        Stdin::Bytes(bytes) if memchr::memchr(0, bytes).is_some_and(|at| at >= BLOCK) => {
            Err(Refusal::new("a pipe with a NUL far from its start"))
        }
        _ => Ok(()),
    }
}

/// Gives the bytes of each operand to `work`, or of standard input where there is none; the exit status. What cannot be
/// read is complained about as `tool: OPERAND: reason`.
///
/// # Errors
/// As [`open`], and where `work` refuses.
pub fn each<'a>(
    call: &mut Call<'a>,
    tool: &str,
    mut operands: Vec<&[u8]>,
    mut work: impl FnMut(&mut Call<'a>, Content<'a>) -> Result<(), Refusal>,
) -> Result<i32, Refusal> {
    if operands.is_empty() {
        operands.push(b"-");
    }
    let mut status = 0;
    for operand in operands {
        let reason = match open_once(call, operand)? {
            Operand::Content(content) => {
                work(call, content)?;
                continue;
            }
            Operand::Directory => Reason::IS_DIRECTORY,
            Operand::Failed(reason) => reason,
        };
        let name = quote::bare(operand)?;
        call.complain(&reason.complaint(&format!("{tool}: "), &name));
        status = 1;
    }
    Ok(status)
}

/// All of standard input.
pub fn stdin<'a>(call: &Call<'a>) -> Content<'a> {
    call.stdin.bytes()
}

/// What is known of an operand's size before it is read (`wc`).
///
/// # Errors
/// Where it lies outside the root.
pub fn size_ahead(call: &Call<'_>, path: &[u8]) -> Result<Ahead, Refusal> {
    if path == b"-" {
        return Ok(match call.stdin {
            Stdin::File(bytes) => Ahead::File(bytes.len() as u64),
            _ => Ahead::Other,
        });
    }
    if path == b"/dev/null" {
        return Ok(Ahead::Other);
    }
    Ok(match look(call, path, true)? {
        Ok(node) if node.kind() == Kind::File => Ahead::File(node.meta().size),
        Ok(_) => Ahead::Other,
        Err(_) => Ahead::Missing,
    })
}

/// The arguments without the program's name.
pub fn args<'a>(call: &Call<'a>) -> Vec<&'a [u8]> {
    call.args.iter().skip(1).map(Vec::as_slice).collect()
}

/// Lines without their newline; an unfinished last line counts.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let lines = if text.is_empty() {
        None
    } else {
        Some(body.split(|&b| b == b'\n'))
    };
    lines.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_end_at_newlines() {
        let split = |t: &'static [u8]| lines(t).collect::<Vec<_>>();
        assert_eq!(split(b""), Vec::<&[u8]>::new());
        assert_eq!(split(b"\n"), vec![b""]);
        assert_eq!(split(b"a\n\nb"), vec![&b"a"[..], b"", b"b"]);
    }
}
