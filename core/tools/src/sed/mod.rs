//! `sed`, reading only: no `-i`, no `w`, no `e`. `sed -n 'A,Bp' FILE` is the most frequent read of all.

mod regex;
mod script;

use std::io::Write;

use crate::input::{self, Content, Operand};
use crate::opts::{self, Takes};
use crate::{Call, How, Out, Refusal};
use regex::Matcher;
use script::{Action, Address, Command, End, Part, Substitute};

const KNOWN: &[opts::Known] = &[
    (b'n', "quiet", Takes::Nothing),
    (b'n', "silent", Takes::Nothing),
    (b'e', "expression", Takes::Value),
    (b'E', "regexp-extended", Takes::Nothing),
    (b'r', "", Takes::Nothing),
    // With a suffix, which makes backups, it does not parse: -i takes no letters behind it.
    (b'i', "in-place", Takes::Last),
];

/// Runs `sed`.
pub fn sed(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = opts::parse(KNOWN, &args, false)?;
    let in_place = parsed.options.iter().any(|o| o.0 == b'i');
    let mut operands = parsed.operands;
    let quiet = parsed.options.iter().any(|o| o.0 == b'n');
    let extended = parsed.options.iter().any(|o| matches!(o.0, b'E' | b'r'));
    let mut pieces: Vec<&[u8]> = parsed.options.iter().filter_map(|o| o.1).collect();
    if pieces.is_empty() {
        if operands.is_empty() {
            return Err(Refusal::new("sed without a script"));
        }
        pieces.push(operands.remove(0));
    }
    if operands.is_empty() {
        operands.push(b"-");
    }
    let commands = script::parse(&pieces.join(&b"\n"[..]), extended)?;
    if in_place {
        return edit_in_place(call, &commands, &operands, quiet);
    }
    if call.writes.is_some_and(crate::Writes::pending) {
        return Err(Refusal::new("sed that may read what was written before it"));
    }
    let mut inputs = Vec::new();
    let mut status = 0;
    for &operand in &operands {
        match input::open(call, operand)? {
            Operand::Content(content) => inputs.push(content),
            Operand::Directory if operands.len() == 1 => {
                let name = operand;
                input::complain_unflushed(
                    call,
                    &[b"sed: read error on ", name, b": Is a directory\n"],
                );
                return Ok(4);
            }
            Operand::Directory => return Err(Refusal::new("sed on a folder among files")),
            Operand::Failed(reason) => {
                input::complain_unflushed(
                    call,
                    &[
                        b"sed: can't read ",
                        operand,
                        b": ",
                        reason.as_bytes(),
                        b"\n",
                    ],
                );
                status = 2;
            }
        }
    }
    if let (true, [command], [content]) = (quiet, commands.as_slice(), inputs.as_slice()) {
        if let Some((first, last)) = printed_range(command) {
            call.out.write(lines_between(content, first, last));
            return Ok(status);
        }
    }
    if status != 0
        && commands
            .iter()
            .any(|c| matches!(c.action, Action::Quit(_) | Action::QuitSilently(_)))
    {
        return Err(Refusal::new("sed that may quit before a missing file"));
    }
    let quit = run(call, &commands, &inputs, quiet)?;
    Ok(if quit != 0 { quit } else { status })
}

/// Runs the script over `inputs` as over one text; its exit status.
fn run(
    call: &mut Call,
    commands: &[Command],
    inputs: &[Content],
    quiet: bool,
) -> Result<i32, Refusal> {
    let mut run = Run {
        commands,
        ranges: vec![Range::Inactive; commands.len()],
        inputs: Inputs {
            contents: inputs,
            file: 0,
            at: 0,
        },
        quiet,
        line: 0,
        space: Vec::new(),
        hold: Vec::new(),
        newline: true,
        hold_newline: true,
        owed: false,
        after: Vec::new(),
        replaced: false,
        last_regex: None,
        fuel: 50_000_000,
        call,
    };
    run.all()
}

/// `-i`: each file is a text of its own, and what the script prints takes its place under the same name.
///
/// Only plain files that are all there: what GNU sed does to links and folders, and on errors, is left to it.
fn edit_in_place(
    call: &mut Call,
    commands: &[Command],
    operands: &[&[u8]],
    quiet: bool,
) -> Result<i32, Refusal> {
    let keeps_state = commands.iter().any(|c| {
        use Action::{Exchange, Get, GetAppend, Hold, HoldAppend, Quit, QuitSilently};
        matches!(
            c.action,
            Exchange | Get | GetAppend | Hold | HoldAppend | Quit(_) | QuitSilently(_)
        )
    });
    if keeps_state {
        return Err(Refusal::new("sed -i with a hold space or q"));
    }
    let Some(writes) = call.writes else {
        return Err(Refusal::new("sed -i where nothing may be written"));
    };
    for &operand in operands {
        if operand == b"-" {
            return Err(Refusal::new("sed -i of standard input"));
        }
        let target = writes.target(call.snapshot, call.cwd, operand)?;
        let Some(node) = target.there else {
            return Err(Refusal::new("sed -i of a file that is not there"));
        };
        let content = match input::bytes(node)? {
            Ok(content) => content,
            Err(_) => return Err(Refusal::new("sed -i of a file that cannot be read")),
        };
        let mut edited = Out::new(EDITED);
        let mut inner = call.again();
        inner.out = &mut edited;
        run(&mut inner, commands, &[content], quiet)?;
        if edited.overflowed() {
            return Err(Refusal::new("sed -i that makes a file very long"));
        }
        let how = How::Replace(*node.meta());
        writes.plan(target.path, edited.into_bytes(), how)?;
    }
    Ok(0)
}

/// What a file edited in place may grow to.
const EDITED: usize = 64 << 20;

/// The lines that a sole command prints, when it is a `p` on line numbers.
fn printed_range(command: &Command) -> Option<(u64, u64)> {
    if command.negated || !matches!(command.action, Action::Print) {
        return None;
    }
    match (&command.start, &command.end) {
        (None, None) => Some((1, u64::MAX)),
        (Some(Address::Line(a)), None) => Some((*a, *a)),
        (Some(Address::Line(a)), Some(End::At(Address::Line(b)))) => Some((*a, (*b).max(*a))),
        (Some(Address::Line(a)), Some(End::At(Address::Last))) => Some((*a, u64::MAX)),
        (Some(Address::Line(a)), Some(End::Plus(n))) => Some((*a, a.saturating_add(*n))),
        _ => None,
    }
}

/// The bytes of the lines `first..=last`, counted from one.
fn lines_between(text: &[u8], first: u64, last: u64) -> &[u8] {
    let skip = |text: &[u8], n: u64| -> usize {
        match n.checked_sub(1) {
            None => 0,
            Some(n) => memchr::memchr_iter(b'\n', text)
                .nth(n as usize)
                .map_or(text.len(), |i| i + 1),
        }
    };
    let rest = &text[skip(text, first - 1)..];
    if last == u64::MAX {
        return rest;
    }
    &rest[..skip(rest, last - first + 1)]
}

/// The first match of an expression, for fuzzers.
pub(crate) fn first_match(
    pattern: &[u8],
    extended: bool,
    fold: bool,
    text: &[u8],
) -> Result<Option<(usize, usize)>, Refusal> {
    let mut first = None;
    Matcher::new(pattern, extended, fold)?.each(text, |start, end, _| {
        first = Some((start, end));
        false
    })?;
    Ok(first)
}

#[derive(Clone, Copy, PartialEq)]
enum Range {
    Inactive,
    /// Active until this line, or with `None` until its end address matches.
    Active(Option<u64>),
    /// A range from line 0 that has ended.
    Closed,
}

struct Inputs<'a> {
    contents: &'a [Content<'a>],
    file: usize,
    at: usize,
}

impl<'a> Inputs<'a> {
    /// The next line and whether a newline ended it.
    fn next(&mut self) -> Option<(&'a [u8], bool)> {
        loop {
            let content = self.contents.get(self.file)?;
            let rest: &'a [u8] = &content[self.at..];
            if rest.is_empty() {
                self.file += 1;
                self.at = 0;
                continue;
            }
            let end = memchr::memchr(b'\n', rest);
            let line = &rest[..end.unwrap_or(rest.len())];
            self.at += line.len() + usize::from(end.is_some());
            return Some((line, end.is_some()));
        }
    }

    fn at_end(&self) -> bool {
        match self.contents.get(self.file) {
            None => true,
            Some(c) => {
                self.at == c.len() && self.contents[self.file + 1..].iter().all(|c| c.is_empty())
            }
        }
    }
}

struct Run<'a, 'c, 'd> {
    commands: &'a [Command],
    ranges: Vec<Range>,
    inputs: Inputs<'a>,
    quiet: bool,
    line: u64,
    space: Vec<u8>,
    hold: Vec<u8>,
    /// Whether the pattern space ends in a newline when it is printed: as the last line read did.
    newline: bool,
    /// The same for the hold space; commands carry it along with the text.
    hold_newline: bool,
    /// A newline that the last output still owes, should anything follow.
    owed: bool,
    after: Vec<Vec<u8>>,
    /// Whether an `s` has replaced something since the last line was read, for `t`.
    replaced: bool,
    /// The expression used last, for `//`.
    last_regex: Option<&'a Matcher>,
    fuel: u64,
    call: &'c mut Call<'d>,
}

/// What a command asks of the cycle.
enum Step {
    Next,
    Goto(usize),
    EndCycle,
    EndCycleSilently,
    Restart,
    Quit(i32, bool),
}

impl<'a> Run<'a, '_, '_> {
    fn all(&mut self) -> Result<i32, Refusal> {
        let mut fresh = true;
        loop {
            if self.call.out.full() {
                return Ok(0);
            }
            if fresh && !self.read() {
                return Ok(0);
            }
            fresh = true;
            let mut at = 0;
            let mut silent = self.quiet;
            while let Some(command) = self.commands.get(at) {
                self.fuel = self
                    .fuel
                    .checked_sub(1)
                    .ok_or_else(|| Refusal::new("a script of sed that runs long"))?;
                if self.selects(at, command)? == command.negated {
                    at = if let Action::Block(end) = command.action {
                        end + 1
                    } else {
                        at + 1
                    };
                    continue;
                }
                match self.act(at, command)? {
                    Step::Next => at += 1,
                    Step::Goto(to) => at = to,
                    Step::EndCycle => break,
                    Step::EndCycleSilently => {
                        silent = true;
                        break;
                    }
                    Step::Restart => {
                        if !self.after.is_empty() {
                            return Err(Refusal::new("D of sed with text still to append"));
                        }
                        silent = true;
                        fresh = false;
                        break;
                    }
                    Step::Quit(status, print) => {
                        if print && !self.quiet {
                            self.print_space();
                        }
                        self.flush_after();
                        return Ok(status);
                    }
                }
            }
            if !silent {
                self.print_space();
            }
            self.flush_after();
        }
    }

    fn read(&mut self) -> bool {
        let Some((line, newline)) = self.inputs.next() else {
            return false;
        };
        self.space.clear();
        self.space.extend_from_slice(line);
        self.newline = newline;
        self.replaced = false;
        self.line += 1;
        true
    }

    fn write(&mut self, text: &[u8], newline: bool) {
        if self.owed {
            self.call.out.write(b"\n");
        }
        self.call.out.write(text);
        if newline {
            self.call.out.write(b"\n");
        }
        self.owed = !newline;
    }

    fn print_space(&mut self) {
        let space = std::mem::take(&mut self.space);
        self.write(&space, self.newline);
        self.space = space;
    }

    fn flush_after(&mut self) {
        for text in std::mem::take(&mut self.after) {
            self.write(&text[..text.len() - 1], true);
        }
    }

    fn matches(&mut self, address: &'a Address) -> Result<bool, Refusal> {
        Ok(match address {
            Address::Line(n) => self.line == *n,
            Address::Last => self.inputs.at_end(),
            Address::Regex(r) => {
                self.last_regex = Some(r);
                r.is_match(&self.space)?
            }
            Address::LastRegex => self.last_regex()?.is_match(&self.space)?,
            Address::Step(first, 0) => self.line == *first,
            Address::Step(first, step) => {
                self.line >= *first && (self.line - first).is_multiple_of(*step)
            }
            Address::Zero => false,
        })
    }

    fn last_regex(&self) -> Result<&'a Matcher, Refusal> {
        self.last_regex
            .ok_or_else(|| Refusal::new("sed without an expression before //"))
    }

    fn selects(&mut self, at: usize, command: &'a Command) -> Result<bool, Refusal> {
        let Some(start) = &command.start else {
            return Ok(true);
        };
        let Some(end) = &command.end else {
            return self.matches(start);
        };
        let mut range = self.ranges[at];
        if matches!(start, Address::Zero) && range == Range::Inactive {
            range = Range::Active(None);
        }
        // A range that starts at a line number or at 0 does so once.
        let done = match start {
            Address::Zero | Address::Line(_) => Range::Closed,
            _ => Range::Inactive,
        };
        let (selected, then) = match range {
            Range::Closed if matches!(start, Address::Line(n) if self.line == *n) => {
                return Err(Refusal::new("a range of sed on a line that comes again"))
            }
            Range::Closed => (false, Range::Closed),
            Range::Inactive => {
                if matches!(start, Address::Line(n) if self.line > *n) {
                    return Err(Refusal::new("a range of sed whose first line was skipped"));
                }
                if !self.matches(start)? {
                    return Ok(false);
                }
                let until = match end {
                    End::At(Address::Line(n)) => Some(*n),
                    End::Plus(n) => Some(self.line.saturating_add(*n)),
                    End::Multiple(0) => Some(self.line),
                    End::Multiple(n) if self.line.is_multiple_of(*n) => {
                        return Err(Refusal::new("a range of sed from a multiple to the next"))
                    }
                    End::Multiple(n) => Some(self.line.div_ceil(*n).saturating_mul(*n)),
                    End::At(_) => None,
                };
                let one = until.is_some_and(|u| u <= self.line);
                (true, if one { done } else { Range::Active(until) })
            }
            Range::Active(Some(until)) if self.line < until => (true, range),
            Range::Active(Some(until)) if self.line == until => (true, done),
            Range::Active(Some(_)) => {
                return Err(Refusal::new("a range of sed whose last line was skipped"))
            }
            Range::Active(None) => {
                let End::At(end) = end else { return Ok(true) };
                (
                    true,
                    if self.matches(end)? {
                        done
                    } else {
                        Range::Active(None)
                    },
                )
            }
        };
        self.ranges[at] = then;
        Ok(selected)
    }

    fn act(&mut self, at: usize, command: &'a Command) -> Result<Step, Refusal> {
        match &command.action {
            Action::Block(_) | Action::Nothing => {}
            Action::Print => self.print_space(),
            Action::PrintFirst => {
                let end = memchr::memchr(b'\n', &self.space);
                let first = self.space[..end.unwrap_or(self.space.len())].to_vec();
                self.write(&first, end.is_some() || self.newline);
            }
            Action::Delete => return Ok(Step::EndCycleSilently),
            Action::DeleteFirst => {
                let Some(end) = memchr::memchr(b'\n', &self.space) else {
                    return Ok(Step::EndCycleSilently);
                };
                self.space.drain(..=end);
                return Ok(Step::Restart);
            }
            Action::Quit(status) => {
                if !self.quiet {
                    self.print_space();
                }
                self.flush_after();
                // Unlike the end of the input, this ends the last line.
                if std::mem::take(&mut self.owed) {
                    self.call.out.write(b"\n");
                }
                return Ok(Step::Quit(*status, false));
            }
            Action::QuitSilently(status) => return Ok(Step::Quit(*status, false)),
            Action::Number => self.write(self.line.to_string().as_bytes(), true),
            Action::Next => {
                if self.inputs.at_end() {
                    return Ok(Step::Quit(0, true));
                }
                if !self.quiet {
                    self.print_space();
                }
                self.flush_after();
                self.read();
            }
            Action::Append => {
                if self.inputs.at_end() {
                    return Ok(Step::Quit(0, true));
                }
                self.flush_after();
                match self.inputs.next() {
                    None => return Ok(Step::Quit(0, true)),
                    Some((line, newline)) => {
                        self.space.push(b'\n');
                        self.space.extend_from_slice(line);
                        self.newline = newline;
                        self.replaced = false;
                        self.line += 1;
                    }
                }
            }
            Action::Hold => {
                self.hold.clone_from(&self.space);
                self.hold_newline = self.newline;
            }
            Action::HoldAppend => {
                self.hold_newline = self.newline;
                self.hold.push(b'\n');
                self.hold.extend_from_slice(&self.space);
            }
            Action::Get => {
                self.space.clone_from(&self.hold);
                self.newline = self.hold_newline;
            }
            Action::GetAppend => {
                self.newline = self.hold_newline;
                self.space.push(b'\n');
                self.space.extend_from_slice(&self.hold);
            }
            Action::Exchange => {
                std::mem::swap(&mut self.space, &mut self.hold);
                std::mem::swap(&mut self.newline, &mut self.hold_newline);
            }
            Action::Substitute(s) => {
                if self.substitute(s)? {
                    self.replaced = true;
                    if s.print {
                        self.print_space();
                    }
                }
            }
            Action::Map(map) => self.space.iter_mut().for_each(|b| *b = map[*b as usize]),
            Action::After(text) => self.after.push(text.clone()),
            Action::Before(text) => self.write(&text[..text.len() - 1], true),
            Action::Change(_)
                if command.end.is_some() && matches!(command.start, Some(Address::Last)) =>
            {
                return Err(Refusal::new("c of sed over a range from the last line"))
            }
            Action::Change(text) => {
                let last = match self.ranges[at] {
                    Range::Active(_) => command.end.is_none(),
                    _ => true,
                };
                if last {
                    self.write(&text[..text.len() - 1], true);
                }
                return Ok(Step::EndCycleSilently);
            }
            Action::Branch(to) => return Ok(self.jump(*to)),
            Action::BranchIf(to) => {
                if std::mem::take(&mut self.replaced) {
                    return Ok(self.jump(*to));
                }
            }
            Action::BranchUnless(to) => {
                if !std::mem::take(&mut self.replaced) {
                    return Ok(self.jump(*to));
                }
            }
        }
        if self.space.len() > 64 << 20 || self.hold.len() > 64 << 20 {
            return Err(Refusal::new("a pattern space of sed beyond 64 MiB"));
        }
        Ok(Step::Next)
    }

    fn jump(&self, to: usize) -> Step {
        if to >= self.commands.len() {
            Step::EndCycle
        } else {
            Step::Goto(to)
        }
    }

    fn substitute(&mut self, s: &'a Substitute) -> Result<bool, Refusal> {
        let mut out = Vec::new();
        let (mut copied, mut seen) = (0, 0);
        let matcher = match &s.matcher {
            Some(matcher) => matcher,
            None => self.last_regex()?,
        };
        self.last_regex = Some(matcher);
        let space = std::mem::take(&mut self.space);
        let found = matcher.each(&space, |start, end, group| {
            seen += 1;
            if seen < s.number {
                return true;
            }
            out.extend_from_slice(&space[copied..start]);
            for part in &s.parts {
                match part {
                    // Writing to a Vec cannot fail.
                    Part::Text(text) => drop(out.write_all(text)),
                    Part::Group(0) => out.extend_from_slice(&space[start..end]),
                    Part::Group(n) => {
                        if let Some((a, b)) = group(*n) {
                            out.extend_from_slice(&space[a..b]);
                        }
                    }
                }
            }
            copied = end;
            s.global
        });
        let replaced = seen >= s.number;
        if replaced {
            out.extend_from_slice(&space[copied..]);
            self.space = out;
        } else {
            self.space = space;
        }
        found.map(|()| replaced)
    }
}

#[cfg(test)]
mod tests {
    use super::lines_between;

    #[test]
    fn ranges_of_lines_are_cut_out() {
        assert_eq!(lines_between(b"a\nb\nc", 2, 2), b"b\n");
        assert_eq!(lines_between(b"a\nb\nc", 2, u64::MAX), b"b\nc");
        assert_eq!(lines_between(b"a\nb\nc", 4, 9), b"");
        assert_eq!(lines_between(b"a\nb\nc", 1, 1), b"a\n");
    }
}
