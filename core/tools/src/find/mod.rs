//! `find`: walks the tree in the order in which the real one was seen to, and evaluates its expression at each node.

mod command;
mod expr;
mod format;
mod parse;
mod refuse;
mod together;
mod walk;

use curserve_corpus::{Errno, Node};
use curserve_text::quote;

use crate::{input, Call, Reason, Refusal};
use together::Candidates;
use walk::Walk;

/// Runs `find`.
///
/// # Errors
/// Where the expression has what is not done here, or a folder is not in memory.
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
    let newer = |path: &[u8]| match named(call, path, follow_start)? {
        Ok(node) => Ok(node.meta().mtime),
        Err(_) => Err(Refusal::new("find -newer than a file that is not there")),
    };
    let parsed = parse::parse(expression, &newer)?;
    let starts = if starts.is_empty() {
        &[&b"."[..]][..]
    } else {
        starts
    };
    // A message about one stands among what is printed for those before it.
    let all_there = starts.len() == 1
        || starts
            .iter()
            .all(|start| matches!(named(call, start, follow_start), Ok(Ok(_))));
    let together = Candidates::of(&parsed.expr, call.memory).filter(|_| all_there);
    let mut walk = Walk::new(&parsed, call);
    let mut command = None;
    if let Some((candidates, words)) = together {
        walk.gather(candidates);
        command = Some(words);
    }
    for &start in starts {
        match named(walk.call, start, follow_start)? {
            Ok(_) if walk.call.out.full() => {} // nobody reads on; it may still complain of one
            Ok(node) => walk.from(node, start)?,
            Err(reason) => {
                let name = quote::curly(start)?;
                walk.call.complain(&reason.complaint("find: ", &name));
                walk.status = 1;
            }
        }
        if walk.quit {
            break;
        }
    }
    walk.finish_batches(&parsed.expr)?;
    let (status, gathered) = (walk.status, walk.gathered());
    if let (Some(gathered), Some(command)) = (gathered, command) {
        gathered.run(call, command)?;
    }
    Ok(status)
}

/// What a starting point names; with `-H` a link that leads nowhere is the link itself.
fn named<'a>(
    call: &Call<'a>,
    path: &[u8],
    follow: bool,
) -> Result<Result<Node<'a>, Reason>, Refusal> {
    let found = input::look(call, path, follow)?;
    match (found, follow, call.snapshot.resolve(call.cwd, path, follow)) {
        (Err(_), true, Err(Errno::NotFound)) => input::look(call, path, false),
        (Err(_), true, Err(Errno::NotDirectory)) => {
            Err(Refusal::new("a link through what is no folder"))
        }
        (found, ..) => Ok(found),
    }
}
