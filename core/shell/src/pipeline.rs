//! `a | b | head`: every part runs to its end, one after the other; who would have stopped whom is worked out after.
//!
//! The parts of a real pipeline run at once. A part that stops reading (`head`) kills those before it with SIGPIPE at
//! their next write. That is silent, but for two: `find -exec` and `xargs` report a child that died so. It also ends
//! messages that would have come later. Where the outcome depends on timing, the pipeline is refused.

use brush_parser::ast::Command;
use curserve_tools::{Intake, Out};

use crate::deaths::{BLOCK, PIPE};
use crate::exec::Flow;
use crate::part::{describe, Part};
use crate::prefix::Prefix;
use crate::state::Shell;
use crate::streams::{Io, Sink, Source};
use crate::Refusal;

/// Who stops whom is worked out for every pair of parts, and their output is kept for that.
const MOST_PARTS: usize = 64;

/// What every part of a pipeline but the last wrote, and the messages of all.
type Written = (Vec<Out>, Vec<Out>);

impl Shell<'_> {
    /// Runs the parts of a pipeline; leaves the status of the last.
    ///
    /// # Errors
    /// Where a part is refused, or the outcome depends on which part is quicker.
    pub fn pipe(&mut self, commands: &[Command], io: &Io) -> Result<(), Refusal> {
        if commands.len() > MOST_PARTS {
            return Err(Refusal::new("a pipeline of more than 64 parts"));
        }
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
                if let (Some(Intake::Lines(lines)), true) =
                    (parts.get(i + 1).map(|p| p.reads), quiet)
                {
                    let lines = usize::try_from(lines).unwrap_or(usize::MAX);
                    // What it says before the pipe is full may still be seen: then the line is refused.
                    let least = match parts[i].complains && err != Sink::Null {
                        true => PIPE + 2 * BLOCK,
                        false => BLOCK,
                    };
                    self.streams[n] = self.stream().want_lines_and(lines, least);
                }
            }
            if let (0, Sink::Stream(n), Some(prefix)) = (i, out, prefix) {
                self.streams[n] = self.stream().want_lines_and(prefix.asked, BLOCK);
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
                stdin = Source::pipe(produced.as_bytes().to_vec(), &self.memory)?;
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
}
