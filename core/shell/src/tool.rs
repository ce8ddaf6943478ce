//! One tool on the streams of its command: what it reads, what it leaves there, and output and errors on one pipe.

use curserve_tools::{Call, Intake, Out, Stdin, World};

use crate::state::Shell;
use crate::streams::{unknown_input, Io, Sink, Source};
use crate::Refusal;

impl Shell<'_> {
    /// Runs a tool on the streams of `io`; called `by_path`, it must say nothing in which its name would stand.
    pub(crate) fn tool(
        &mut self,
        world: &World,
        words: &[Vec<u8>],
        io: &Io,
        by_path: bool,
    ) -> Result<i32, Refusal> {
        if !curserve_tools::is_tool(&words[0]) {
            return Err(Refusal::UnknownProgram(format!(
                "no tool {}",
                String::from_utf8_lossy(&words[0])
            )));
        }
        io.stdin.unspoiled()?;
        if matches!(io.stdin, Source::Unknown) && !leaves_input(words) {
            return Err(unknown_input());
        }
        curserve_tools::fits(words)?;
        let (limit, memory) = (self.limits.output, self.memory.clone());
        let merged = io.out == io.err && io.out != Sink::Null;
        let mut take = |sink: Sink| match sink {
            Sink::Stream(n) if !merged => self.take_stream(n),
            Sink::Null => Out::within(limit, &memory).to_nowhere(),
            _ => Out::within(limit, &memory),
        };
        let (mut out, mut err) = (take(io.out), take(io.err));
        let (printed, said) = (out.as_bytes().len(), err.as_bytes().len());
        let status = {
            let pipe = match &io.stdin {
                Source::Null | Source::Unknown => None,
                Source::Pipe(pipe) | Source::File(pipe) => Some(pipe.borrow()),
            };
            let stdin = match (&io.stdin, &pipe) {
                (Source::Pipe(_), Some(p)) => Stdin::Bytes(&p.bytes[p.at..]),
                (Source::File(_), Some(p)) => Stdin::File(&p.bytes[p.at..]),
                _ => Stdin::DevNull,
            };
            let mut call = Call {
                args: words,
                stdin,
                cwd: &self.vars.cwd,
                snapshot: self.snapshot,
                world,
                out: &mut out,
                err: &mut err,
                writes: self.writes,
                deadline: self.limits.deadline,
                memory: &memory,
            };
            curserve_tools::run(&words[0], &mut call)?
        };
        if out.overflowed() || err.overflowed() {
            return Err(Refusal::new("output beyond the limit"));
        }
        let names_itself =
            |text: &[u8]| memchr::memmem::find(text, b": binary file matches").is_some();
        if by_path && (err.as_bytes().len() > said || names_itself(&out.as_bytes()[printed..])) {
            return Err(Refusal::new(
                "a message of a program that is called by its path",
            ));
        }
        if let (true, Sink::Stream(n)) = (merged, io.out) {
            let bytes = merge(&words[0], out, err)?;
            self.streams[n].write(&bytes);
        } else {
            for (sink, stream) in [(io.out, out), (io.err, err)] {
                if let Sink::Stream(n) = sink {
                    self.streams[n] = stream;
                }
            }
        }
        spend(words, &io.stdin);
        Ok(status)
    }
}

/// Whether neither the tool that `words` name nor what it starts reads its standard input.
pub fn leaves_input(words: &[Vec<u8>]) -> bool {
    let reads_nothing = |words: &[Vec<u8>]| Intake::of(words) == Intake::Nothing;
    let starts = |word: &Vec<u8>| word.starts_with(b"-exec") || word.starts_with(b"-ok");
    // What `find` starts goes on to `;` or `+`.
    let ends = |word: &Vec<u8>| word == b";" || word == b"+";
    let child_reads_nothing = |rest: &[Vec<u8>]| rest.split(ends).next().is_some_and(reads_nothing);
    reads_nothing(words)
        && (words[0] != b"find" || words.split(starts).skip(1).all(child_reads_nothing))
}

/// Notes what a tool has read of its input, for those that read the same input after it.
fn spend(words: &[Vec<u8>], stdin: &Source) {
    let (Source::Pipe(pipe) | Source::File(pipe)) = stdin else {
        return;
    };
    if Intake::of(words) != Intake::Nothing {
        // It may have read all, or a block of it: nothing is certain but the end.
        pipe.borrow_mut().spoil();
    }
}

/// Standard output and error of one program on one pipe. The GNU programs flush their output before a message; what
/// does not (`sed`) has printed its messages before the first block of its output, if that was never full.
fn merge(name: &[u8], out: Out, err: Out) -> Result<Vec<u8>, Refusal> {
    const BLOCK: usize = 4096;
    if err.as_bytes().is_empty() {
        return Ok(out.into_bytes());
    }
    let unknown = || Refusal::new("the order of output and errors on one pipe");
    let marks = err.marks();
    if marks.first().map(|m| m.at) != Some(0) {
        return if out.as_bytes().is_empty() {
            Ok(err.into_bytes())
        } else {
            Err(unknown())
        };
    }
    let early = marks.iter().any(|m| m.early);
    if early && !out.as_bytes().is_empty() && (name != b"sed" || out.as_bytes().len() >= BLOCK) {
        return Err(unknown());
    }
    let (bytes, messages) = (out.as_bytes(), err.as_bytes());
    let mut merged = Vec::with_capacity(bytes.len() + messages.len());
    let mut from = 0;
    for (i, mark) in marks.iter().enumerate() {
        let place = if mark.early {
            0
        } else {
            mark.out.min(bytes.len())
        };
        merged.extend_from_slice(&bytes[from..place.max(from)]);
        from = place.max(from);
        let end = marks.get(i + 1).map_or(messages.len(), |m| m.at);
        merged.extend_from_slice(&messages[mark.at..end]);
    }
    merged.extend_from_slice(&bytes[from..]);
    Ok(merged)
}
