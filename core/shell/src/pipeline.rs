//! `a | b | head`: every part runs to its end, one after the other; who would have stopped whom is worked out after.
//!
//! The parts of a real pipeline run at once. A part that stops reading (`head`) kills those before it with SIGPIPE at
//! their next write. That is silent, but for two: `find -exec` and `xargs` report a child that died so. It also ends
//! messages that would have come later. Where the outcome hangs on timing, the pipeline is refused.

use brush_parser::ast::{
    Command, CommandPrefixOrSuffixItem as Item, IoFileRedirectKind, IoRedirect, SimpleCommand,
};
use curserve_tools::{headtail, Out, Span};

use crate::exec::Flow;
use crate::named::named;
use crate::prefix::Prefix;
use crate::state::Shell;
use crate::streams::{Io, Sink, Source};
use crate::Refusal;

/// Standard output of the C library on a pipe writes blocks of this size.
const BLOCK: usize = 4096;
/// A pipe takes this much before a writer blocks.
const PIPE: usize = 64 << 10;

/// How far a part of a pipeline reads its input.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Reads {
    /// To the end.
    All,
    /// So many lines; `head`.
    Lines(u64),
    /// Perhaps not to the end.
    Unknown,
}

/// What is known of a part before it runs, where its words need no expansion.
pub struct Part {
    /// The name of its program.
    pub name: Vec<u8>,
    /// How far it reads.
    pub reads: Reads,
    /// It starts programs of its own, and reports their deaths.
    reports: bool,
}

/// What every part of a pipeline but the last wrote, and the messages of all.
type Written = (Vec<Out>, Vec<Out>);

fn static_words(command: &Command) -> Option<Vec<Vec<u8>>> {
    let Command::Simple(simple) = command else {
        return None;
    };
    let mut words = vec![simple.word_or_name.as_ref()?.value.as_str()];
    for item in simple.suffix.iter().flat_map(|s| &s.0) {
        match item {
            Item::Word(word) | Item::AssignmentWord(_, word) => words.push(&word.value),
            Item::IoRedirect(_) => {}
            Item::ProcessSubstitution(..) => return None,
        }
    }
    Some(
        words
            .into_iter()
            .map(|w| w.trim_matches(['\'', '"']).as_bytes().to_vec())
            .collect(),
    )
}

/// Whether its standard input is not the pipe.
fn is_redirected(command: &SimpleCommand) -> bool {
    let prefix = command.prefix.iter().flat_map(|p| &p.0);
    let suffix = command.suffix.iter().flat_map(|s| &s.0);
    prefix.chain(suffix).any(|item| match item {
        Item::IoRedirect(IoRedirect::HereDocument(..) | IoRedirect::HereString(..)) => true,
        Item::IoRedirect(IoRedirect::File(fd, kind, _)) => {
            *fd == Some(0) || matches!(kind, IoFileRedirectKind::Read)
        }
        _ => false,
    })
}

fn describe(command: &Command) -> Part {
    let Some(words) = static_words(command) else {
        return Part {
            name: Vec::new(),
            reads: Reads::Unknown,
            reports: false,
        };
    };
    let redirected = matches!(command, Command::Simple(simple) if is_redirected(simple));
    let named = named(&words);
    let args: Vec<&[u8]> = words[named.at + 1..].iter().map(Vec::as_slice).collect();
    let name = named.name.to_vec();
    let short = |letters: &[u8]| {
        args.iter().any(|a| {
            a.starts_with(b"-")
                && !a.starts_with(b"--")
                && a[1..].iter().any(|b| letters.contains(b))
        })
    };
    let long = args.iter().any(|a| {
        a.starts_with(b"--") && !a.starts_with(b"--color") && !a.starts_with(b"--include")
    });
    // A file named among the arguments means that standard input is not read. A value after an option may look like
    // one, which only makes the answer more careful; plain numbers are counts.
    let operands = args
        .iter()
        .filter(|a| !a.starts_with(b"-") && !a.iter().all(u8::is_ascii_digit))
        .count();
    let reads = match name.as_slice() {
        _ if redirected => Reads::Unknown,
        b"head" => match headtail::lines_wanted(&args) {
            Some(n) => Reads::Lines(n),
            None => Reads::Unknown,
        },
        b"xargs" => Reads::All,
        b"grep" | b"egrep" | b"fgrep" if !short(b"qmlLref") && !long && operands <= 1 => Reads::All,
        b"tr" if operands <= 2 => Reads::All,
        b"cat" | b"sort" | b"wc" | b"tail" | b"uniq" | b"cut" | b"nl" | b"tac" if operands == 0 => {
            Reads::All
        }
        b"sed" if operands <= 1 && !args.iter().any(|a| a.contains(&b'q') || a.contains(&b'Q')) => {
            Reads::All
        }
        _ => Reads::Unknown,
    };
    let reports =
        name == b"xargs" || name == b"find" && args.iter().any(|a| a.starts_with(b"-exec"));
    Part {
        name,
        reads,
        reports,
    }
}

impl Shell<'_> {
    /// Runs the parts of a pipeline; leaves the status of the last.
    pub fn pipe(&mut self, commands: &[Command], io: &Io) -> Result<(), Refusal> {
        // The parts of a pipeline run at once: who sees a write is a matter of timing.
        let barred = self.writes.map(|writes| writes.bar(true));
        let parts: Vec<Part> = commands.iter().map(describe).collect();
        let last = commands.len() - 1;
        let seen_before = |shell: &Self| match io.out {
            Sink::Stream(n) => shell.streams[n].as_bytes().len(),
            Sink::Null => 0,
        };
        let before = seen_before(self);
        let mut ran = None;
        if let Some(prefix) = Prefix::of(self, commands, &parts) {
            let steps = self.steps;
            ran = self.run_parts(commands, &parts, io, Some(prefix))?;
            if ran.is_none() {
                self.steps = steps;
            }
        }
        if ran.is_none() {
            ran = self.run_parts(commands, &parts, io, None)?;
        }
        let (outs, mut errs) = ran.unwrap_or_default();
        if let (Some(writes), Some(barred)) = (self.writes, barred) {
            writes.bar(barred);
        }
        for k in 1..=last {
            self.stop_early(&parts, k, &outs, &mut errs, io.err)?;
        }
        let mut talking = errs.iter().filter(|e| !e.as_bytes().is_empty());
        if let Some(first) = talking.next() {
            let shared_output = io.out == io.err && seen_before(self) != before;
            if talking.next().is_some() || shared_output {
                return Err(Refusal::new(
                    "the order of messages of several parts of a pipeline",
                ));
            }
            let bytes = first.as_bytes().to_vec();
            self.write(io.err, &bytes);
        }
        Ok(())
    }

    /// Runs every part to its end, and leaves the status of the last; what each wrote. None, and nothing done, where
    /// `prefix` was too short.
    fn run_parts(
        &mut self,
        commands: &[Command],
        parts: &[Part],
        io: &Io,
        prefix: Option<Prefix>,
    ) -> Result<Option<Written>, Refusal> {
        let last = commands.len() - 1;
        let mut stdin = io.stdin.clone();
        let mut outs: Vec<Out> = Vec::new();
        let mut errs: Vec<Out> = Vec::new();
        let saved = self.vars.clone();
        let mut status = saved.status;
        for (i, command) in commands.iter().enumerate() {
            let shared = i == last && io.out == io.err;
            let err = if shared || io.err == Sink::Null {
                io.err
            } else {
                Sink::Stream(self.open_stream())
            };
            let out = if i == last {
                io.out
            } else {
                Sink::Stream(self.open_stream())
            };
            if let (Sink::Stream(n), true) = (out, i < last) {
                // The order of reports of dead children needs the whole output of those before.
                let quiet = parts[..=i].iter().all(|p| !p.reports && !p.name.is_empty());
                if let (Some(Reads::Lines(lines)), true) =
                    (parts.get(i + 1).map(|p| p.reads), quiet)
                {
                    let lines = usize::try_from(lines).unwrap_or(usize::MAX);
                    self.streams[n] = Out::new(self.limits.output).want_lines_and(lines, BLOCK);
                }
            }
            if let (0, Sink::Stream(n), Some(prefix)) = (i, out, prefix) {
                self.streams[n] = Out::new(self.limits.output).want_lines_and(prefix.asked, BLOCK);
            }
            let flow = self.command(
                command,
                &Io {
                    stdin: stdin.clone(),
                    out,
                    err,
                },
            )?;
            if !matches!(flow, Flow::On | Flow::Exit) {
                return Err(Refusal::new("a jump out of a pipeline"));
            }
            // Each part is a subshell of its own: what it sets, its `$?` too, is lost to the next.
            status = self.vars.status;
            self.vars = saved.clone();
            if let (Sink::Stream(n), true) = (out, i < last) {
                let produced = self.close_stream(n)?;
                stdin = Source::pipe(produced.as_bytes().to_vec());
                outs.push(produced);
            }
            match err {
                Sink::Stream(n) if !shared => errs.push(self.close_stream(n)?),
                _ => errs.push(Out::new(0)),
            }
            if prefix.is_some_and(|p| p.reader == i + 1 && p.falls_short(&outs, &errs)) {
                return Ok(None);
            }
        }
        self.vars.status = status;
        Ok(Some((outs, errs)))
    }

    /// Works out what part `k`, which may stop reading, does to those before it.
    fn stop_early(
        &mut self,
        parts: &[Part],
        k: usize,
        outs: &[Out],
        errs: &mut [Out],
        err: Sink,
    ) -> Result<(), Refusal> {
        if parts[k].reads == Reads::All || Self::is_unseen(err) {
            return Ok(());
        }
        let output = outs[k - 1].as_bytes();
        let needed = match parts[k].reads {
            Reads::Lines(lines) => {
                let lines = usize::try_from(lines).unwrap_or(usize::MAX);
                memchr::memchr_iter(b'\n', output)
                    .nth(lines.saturating_sub(1))
                    .map_or(output.len(), |i| i + 1)
            }
            _ => 0,
        };
        if parts[k].reads != Reads::Unknown && needed == output.len() {
            return Ok(());
        }
        let timing = || Refusal::new("messages of a program that may have been stopped before");
        // Further up, a death needs that the part between dies: at its first block, however long it takes to fill one.
        let far = (0..k - 1).any(|i| {
            (i + 1..k).all(|j| {
                let length = outs[j].as_bytes().len();
                let held = if in_blocks(&parts[j].name) { BLOCK } else { 0 };
                length > held && !at_end(&parts[j].name)
            }) && (parts[i].reports || !errs[i].as_bytes().is_empty())
        });
        if far {
            return Err(timing());
        }
        let part = &parts[k - 1];
        let messages = errs[k - 1].as_bytes();
        if !part.reports {
            // Each message flushes the output before it: the first flush always arrives, a second may not.
            let mut places: Vec<usize> = errs[k - 1]
                .marks()
                .iter()
                // Without a flush before the message only full blocks have gone out.
                .map(|m| if m.early && m.out < BLOCK { 0 } else { m.out })
                .filter(|&p| p > 0)
                .collect();
            places.dedup();
            let sure = match parts[k].reads {
                Reads::Unknown => places.is_empty(),
                _ => places.len() <= 1 && places.iter().all(|&p| p < BLOCK),
            };
            let known = !part.name.is_empty() || messages.is_empty();
            return if messages.is_empty() || sure && known && errs[k - 1].marks_cover() {
                Ok(())
            } else {
                Err(timing())
            };
        }
        if parts[k].reads == Reads::Unknown || !messages.is_empty() {
            return if output.is_empty() && messages.is_empty() {
                Ok(())
            } else {
                Err(timing())
            };
        }
        let report =
            deaths(&part.name, outs[k - 1].spans(), needed, output.len()).ok_or_else(timing)?;
        errs[k - 1].write(&report);
        Ok(())
    }
}

/// Whether a tool prints only when its input has ended.
fn at_end(name: &[u8]) -> bool {
    matches!(name, b"sort" | b"tail" | b"wc" | b"tac")
}

/// Whether a tool holds its output back until a block is full.
fn in_blocks(name: &[u8]) -> bool {
    matches!(
        name,
        b"grep" | b"egrep" | b"fgrep" | b"sed" | b"cut" | b"uniq" | b"nl"
    )
}

/// What `find` or `xargs` reports when its reader goes after `needed` bytes; `None` where timing decides.
///
/// A child writes blocks of [`BLOCK`] bytes. The block that satisfies the reader still arrives; far more than a pipe
/// holds behind it does not.
fn deaths(who: &[u8], spans: &[Span], needed: usize, total: usize) -> Option<Vec<u8>> {
    let mut report = Vec::new();
    let covered: usize = spans.iter().map(|s| s.end - s.start).sum();
    if covered != total {
        return None;
    }
    for span in spans.iter().filter(|s| s.end > s.start) {
        if span.end <= needed {
            continue;
        }
        if span.start >= needed {
            // Whether the first of these still finds the reader is a race, lost by one or two on a busy machine.
            return None;
        }
        let block_end = span.start + (needed - span.start).div_ceil(BLOCK) * BLOCK;
        let dies = match span.end.checked_sub(block_end) {
            None | Some(0) => false,
            Some(rest) if rest > PIPE + 2 * BLOCK => true,
            Some(_) => return None,
        };
        if dies {
            let name = String::from_utf8_lossy(&span.name).into_owned();
            if who == b"xargs" {
                report.extend_from_slice(
                    format!("xargs: {name}: terminated by signal 13\n").as_bytes(),
                );
                return Some(report);
            }
            report
                .extend_from_slice(format!("find: ‘{name}’ terminated by signal 13\n").as_bytes());
        }
    }
    Some(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize) -> Span {
        Span {
            start,
            end,
            name: b"grep".to_vec(),
        }
    }

    #[test]
    fn children_after_the_reader_has_gone_are_a_matter_of_timing() {
        let spans = [span(0, 40), span(40, 80), span(80, 120), span(120, 120)];
        assert_eq!(deaths(b"find", &spans, 40, 120), None);
        assert_eq!(deaths(b"find", &spans, 120, 120), Some(Vec::new()));
    }

    #[test]
    fn a_child_cut_within_its_output_is_a_matter_of_timing() {
        assert_eq!(
            deaths(b"xargs", &[span(0, 4000)], 40, 4000),
            Some(Vec::new())
        );
        assert_eq!(deaths(b"xargs", &[span(0, 9000)], 40, 9000), None);
        assert!(deaths(b"xargs", &[span(0, 200_000)], 40, 200_000).is_some_and(|r| !r.is_empty()));
    }
}
