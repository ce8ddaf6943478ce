//! Lists, loops, groups and simple commands.

use brush_parser::ast::{
    AndOr, AndOrList, AssignmentName, AssignmentValue, BinaryPredicate, CaseClauseCommand,
    CaseItemPostAction, Command, CommandPrefixOrSuffixItem as Item, CompoundCommand, CompoundList,
    ExtendedTestExpr, Pipeline, Program, SeparatorOperator, SimpleCommand, SourceLocation,
    UnaryPredicate,
};
use curserve_tools::fnmatch::Pattern;
use curserve_tools::{Call, Out, Stdin, World};

use crate::named::{is_the_pinned, named, Named};
use crate::state::{Io, Shell, Sink, Source, Within, STDERR, STDOUT};
use crate::Refusal;

/// How a command ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// The next one runs.
    On,
    /// `break N`.
    Break(u32),
    /// `continue N`.
    Continue(u32),
    /// `exit`.
    Exit,
}

impl<'s> Shell<'s> {
    /// Runs a whole program on the shell's own streams; returns its exit status.
    pub fn program(&mut self, program: &Program) -> Result<i32, Refusal> {
        let io = Io {
            stdin: Source::Null,
            out: Sink::Stream(STDOUT),
            err: Sink::Stream(STDERR),
        };
        self.lists(program, &io)?;
        Ok(self.vars.status)
    }

    fn lists(&mut self, program: &Program, io: &Io) -> Result<(), Refusal> {
        for list in &program.complete_commands {
            if self.list(list, io)? != Flow::On {
                break;
            }
        }
        Ok(())
    }

    /// Runs a program as a subshell, its output captured.
    pub fn capture(&mut self, program: &Program, io: &Io) -> Result<(Vec<u8>, i32), Refusal> {
        let saved = self.vars.clone();
        let n = self.open_stream();
        let inner = Io {
            out: Sink::Stream(n),
            ..io.clone()
        };
        let loops = std::mem::take(&mut self.loops);
        match read_file_only(program) {
            Some(word) => {
                let path = self.single(word, io)?;
                match self.open_input(&path)? {
                    Ok(Source::File(file)) => {
                        let bytes = file.borrow().bytes.clone();
                        self.write(Sink::Stream(n), &bytes);
                    }
                    Ok(_) => {}
                    Err(_) => return Err(Refusal::new("$(<file) of a file that is not there")),
                }
                self.vars.status = 0;
            }
            None => self.lists(program, &inner)?,
        }
        self.loops = loops;
        let output = self.close_stream(n)?;
        let status = self.vars.status;
        self.vars = saved;
        Ok((output.into_bytes(), status))
    }

    /// Runs a list.
    pub fn list(&mut self, list: &CompoundList, io: &Io) -> Result<Flow, Refusal> {
        for item in &list.0 {
            if matches!(item.1, SeparatorOperator::Async) {
                return Err(Refusal::new("a command in the background"));
            }
            let flow = self.and_or(&item.0, io)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn and_or(&mut self, list: &AndOrList, io: &Io) -> Result<Flow, Refusal> {
        let mut flow = self.pipeline(&list.first, io)?;
        for next in &list.additional {
            if flow != Flow::On {
                return Ok(flow);
            }
            flow = match next {
                AndOr::And(p) if self.vars.status == 0 => self.pipeline(p, io)?,
                AndOr::Or(p) if self.vars.status != 0 => self.pipeline(p, io)?,
                _ => Flow::On,
            };
        }
        Ok(flow)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, io: &Io) -> Result<Flow, Refusal> {
        if pipeline.timed.is_some() {
            return Err(Refusal::new("time"));
        }
        let flow = match pipeline.seq.as_slice() {
            [] => return Err(Refusal::new("a pipeline without a command")), // a bare `!`
            [command] => self.command(command, io)?,
            commands => {
                self.pipe(commands, io)?;
                Flow::On
            }
        };
        if pipeline.bang {
            self.vars.status = i32::from(self.vars.status == 0);
        }
        Ok(flow)
    }

    /// Runs one command in this shell.
    pub fn command(&mut self, command: &Command, io: &Io) -> Result<Flow, Refusal> {
        self.step()?;
        match command {
            Command::Simple(simple) => self.simple(simple, io),
            Command::Compound(compound, redirects) => {
                let redirects = redirects.as_ref().map_or(&[][..], |r| r.0.as_slice());
                let mark = self.files.len();
                let flow = match self.redirect(io, redirects)? {
                    Some(io) => self.compound(compound, &io)?,
                    None => {
                        self.vars.status = 1;
                        Flow::On
                    }
                };
                self.finish_files(mark)?;
                Ok(flow)
            }
            Command::ExtendedTest(test, None) => {
                self.depth = 0;
                self.vars.status = i32::from(!self.extended_test(&test.expr, io)?);
                Ok(Flow::On)
            }
            Command::ExtendedTest(..) => Err(Refusal::new("a redirection of [[ ]]")),
            Command::Function(_) => Err(Refusal::new("a function")),
        }
    }

    fn compound(&mut self, command: &CompoundCommand, io: &Io) -> Result<Flow, Refusal> {
        match command {
            CompoundCommand::BraceGroup(group) => self.list(&group.list, io),
            CompoundCommand::Subshell(subshell) => {
                let saved = self.vars.clone();
                let loops = std::mem::take(&mut self.loops);
                self.list(&subshell.list, io)?;
                let status = self.vars.status;
                self.vars = saved;
                self.loops = loops;
                self.vars.status = status;
                Ok(Flow::On)
            }
            CompoundCommand::ForClause(clause) => {
                let Some(words) = &clause.values else {
                    return Err(Refusal::new("for without words"));
                };
                let mut values = Vec::new();
                for word in words {
                    self.fields(&word.value, io, &mut values)?;
                }
                self.vars.status = 0;
                for value in values {
                    self.set(&clause.variable_name, Some(value))?;
                    match self.body(&clause.body.list, io)? {
                        Flow::On => {}
                        Flow::Break(_) => break,
                        flow => return Ok(flow),
                    }
                }
                Ok(Flow::On)
            }
            CompoundCommand::WhileClause(clause) => {
                self.loop_until(&clause.0, &clause.1.list, true, io)
            }
            CompoundCommand::UntilClause(clause) => {
                self.loop_until(&clause.0, &clause.1.list, false, io)
            }
            CompoundCommand::IfClause(clause) => {
                let flow = self.list(&clause.condition, io)?;
                if flow != Flow::On {
                    return Ok(flow);
                }
                if self.vars.status == 0 {
                    return self.list(&clause.then, io);
                }
                for other in clause.elses.iter().flatten() {
                    if let Some(condition) = &other.condition {
                        let flow = self.list(condition, io)?;
                        if flow != Flow::On {
                            return Ok(flow);
                        }
                        if self.vars.status != 0 {
                            continue;
                        }
                    }
                    return self.list(&other.body, io);
                }
                self.vars.status = 0;
                Ok(Flow::On)
            }
            CompoundCommand::Arithmetic(command) => {
                let text = self.arithmetic_text(&command.expr.value, io)?;
                self.vars.status = i32::from(self.arithmetic(&text)? == 0);
                Ok(Flow::On)
            }
            CompoundCommand::CaseClause(clause) => self.case(clause, io),
            _ => Err(Refusal::new("select, coproc or an arithmetic loop")),
        }
    }

    /// `case`: the first list with a pattern that matches the whole word.
    fn case(&mut self, clause: &CaseClauseCommand, io: &Io) -> Result<Flow, Refusal> {
        let value = self.case_word(&clause.value.value, io, Self::single)?;
        for item in &clause.cases {
            if !matches!(item.post_action, CaseItemPostAction::ExitCase) {
                return Err(Refusal::new("a case that goes on behind its list"));
            }
            for word in &item.patterns {
                let pattern = self.case_word(&word.value, io, Self::pattern)?;
                if !Pattern::of_bash(&pattern, false)?.matches(&value)? {
                    continue;
                }
                if let Some(list) = &item.cmd {
                    return self.list(list, io);
                }
                self.vars.status = 0;
                return Ok(Flow::On);
            }
        }
        self.vars.status = 0;
        Ok(Flow::On)
    }

    /// A word of `case`, whose substitutions leave their status in `$?`.
    fn case_word(
        &mut self,
        word: &str,
        io: &Io,
        expand: impl Fn(&mut Self, &str, &Io) -> Result<Vec<u8>, Refusal>,
    ) -> Result<Vec<u8>, Refusal> {
        self.substituted = None;
        let value = expand(self, word, io)?;
        if let Some(status) = self.substituted {
            self.vars.status = status;
        }
        Ok(value)
    }

    /// The body of a loop; levels of `break` and `continue` that lie further out come back as they are.
    fn body(&mut self, list: &CompoundList, io: &Io) -> Result<Flow, Refusal> {
        self.step()?;
        self.loops += 1;
        let flow = self.list(list, io);
        self.loops -= 1;
        match flow? {
            Flow::Continue(1) => Ok(Flow::On),
            Flow::Break(n) | Flow::Continue(n) if n > 1 => {
                Err(Refusal::new("break or continue of several loops"))
            }
            flow => Ok(flow),
        }
    }

    fn loop_until(
        &mut self,
        condition: &CompoundList,
        body: &CompoundList,
        expected: bool,
        io: &Io,
    ) -> Result<Flow, Refusal> {
        let mut status = 0;
        loop {
            self.loops += 1;
            let flow = self.list(condition, io);
            self.loops -= 1;
            if flow? != Flow::On {
                return Err(Refusal::new("a jump out of a condition"));
            }
            if (self.vars.status == 0) != expected {
                break;
            }
            match self.body(body, io)? {
                Flow::On => status = self.vars.status,
                Flow::Break(_) => {
                    status = self.vars.status;
                    break;
                }
                flow => return Ok(flow),
            }
        }
        self.vars.status = status;
        Ok(Flow::On)
    }

    fn simple(&mut self, command: &SimpleCommand, io: &Io) -> Result<Flow, Refusal> {
        let mark = self.files.len();
        let flow = self.simple_command(command, io)?;
        self.finish_files(mark)?;
        Ok(flow)
    }

    fn simple_command(&mut self, command: &SimpleCommand, io: &Io) -> Result<Flow, Refusal> {
        let name = command.word_or_name.as_ref();
        let place = name.map_or_else(|| command.location(), SourceLocation::location);
        if let (Some(place), Within::Nothing) = (place, self.substitution) {
            self.line = (!spans_lines(command)).then_some(place.start.line);
        }
        self.substituted = None;
        let prefix = command.prefix.as_ref().map_or(&[][..], |p| p.0.as_slice());
        let suffix = command.suffix.as_ref().map_or(&[][..], |s| s.0.as_slice());
        let mut words = Vec::with_capacity(suffix.len() + 1);
        if let Some(name) = &command.word_or_name {
            self.fields(&name.value, io, &mut words)?;
        }
        let mut redirects = Vec::new();
        let mut assignments = Vec::new();
        for item in prefix {
            match item {
                Item::IoRedirect(redirect) => redirects.push(redirect),
                Item::AssignmentWord(assignment, _) => assignments.push(assignment),
                _ => return Err(Refusal::new("a process substitution")),
            }
        }
        for item in suffix {
            match item {
                Item::IoRedirect(redirect) => redirects.push(redirect),
                Item::Word(word) | Item::AssignmentWord(_, word) => {
                    self.fields(&word.value, io, &mut words)?
                }
                Item::ProcessSubstitution(..) => {
                    return Err(Refusal::new("a process substitution"))
                }
            }
        }
        let Some(io) = self.redirect(io, redirects)? else {
            self.vars.status = 1;
            return Ok(Flow::On);
        };
        let mut values = Vec::new();
        for assignment in assignments {
            let (AssignmentName::VariableName(name), AssignmentValue::Scalar(word), false) =
                (&assignment.name, &assignment.value, assignment.append)
            else {
                return Err(Refusal::new("an array, or an assignment that appends"));
            };
            if word.value.contains(":~") {
                return Err(Refusal::new("a tilde within an assignment"));
            }
            values.push((name.as_str(), self.single(&word.value, &io)?));
        }
        if words.is_empty() {
            for (name, value) in values {
                self.set(name, Some(value))?;
            }
            self.vars.status = self.substituted.unwrap_or(0);
            return Ok(Flow::On);
        }
        let empty_ifs = values.iter().any(|(n, v)| *n == "IFS" && v.is_empty());
        let reads = words[0] == b"read";
        let mut in_c = false;
        for (name, value) in values {
            if name == "LC_ALL" {
                in_c = match value.as_slice() {
                    b"C" | b"POSIX" => true,
                    b"C.UTF-8" | b"C.utf8" => false,
                    _ => return Err(Refusal::new("a locale that is not pinned")),
                };
            } else if !(self.is_outranked(name) || reads && name == "IFS" && value.is_empty()) {
                // Programs see it in their environment; those here look at none that `set` lets pass.
                let saved = self.vars.set.clone();
                self.set(name, Some(value))?;
                self.vars.set = saved;
            }
        }
        if in_c {
            let world = self.world.in_c();
            self.vars.status = self.program_in(&world, &words, &io)?;
            return Ok(Flow::On);
        }
        self.run_words(&words, &io, empty_ifs)
    }

    fn run_words(&mut self, words: &[Vec<u8>], io: &Io, empty_ifs: bool) -> Result<Flow, Refusal> {
        let named = named(words);
        if named.at == 0 && !named.program {
            if let Some(flow) = self.builtin(words, io, empty_ifs)? {
                return Ok(flow);
            }
        } else if !named.program {
            return self.run_words(&words[named.at..], io, empty_ifs);
        }
        self.vars.status = self.program_in(self.world, words, io)?;
        Ok(Flow::On)
    }

    /// Runs the program that `words` name, be it by a path or behind another.
    fn program_in(&mut self, world: &World, words: &[Vec<u8>], io: &Io) -> Result<i32, Refusal> {
        let Named {
            name, at, by_path, ..
        } = named(words);
        if !by_path {
            return self.tool(world, &words[at..], io, false);
        }
        if !is_the_pinned(world, &words[at], name) {
            let path = String::from_utf8_lossy(&words[at]);
            return Err(Refusal::new(format!("no tool {path}")));
        }
        let mut words = words[at..].to_vec();
        words[0] = name.to_vec();
        self.tool(world, &words, io, true)
    }

    /// Runs a tool on the streams of `io`; called `by_path`, it must say nothing in which its name would stand.
    fn tool(
        &mut self,
        world: &World,
        words: &[Vec<u8>],
        io: &Io,
        by_path: bool,
    ) -> Result<i32, Refusal> {
        if !curserve_tools::is_tool(&words[0]) {
            return Err(Refusal::new(format!(
                "no tool {}",
                String::from_utf8_lossy(&words[0])
            )));
        }
        io.stdin.unspoiled()?;
        let limit = self.limits.output;
        let merged = io.out == io.err && io.out != Sink::Null;
        let mut take = |sink: Sink| match sink {
            Sink::Stream(n) if !merged => self.take_stream(n),
            _ => Out::new(limit),
        };
        let (mut out, mut err) = (take(io.out), take(io.err));
        let (printed, said) = (out.as_bytes().len(), err.as_bytes().len());
        let status = {
            let pipe = match &io.stdin {
                Source::Null => None,
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
        self.spend(words, &io.stdin)?;
        Ok(status)
    }

    /// Notes what a tool has read of its input, for those that read the same input after it.
    fn spend(&self, words: &[Vec<u8>], stdin: &Source) -> Result<(), Refusal> {
        let (Source::Pipe(pipe) | Source::File(pipe)) = stdin else {
            return Ok(());
        };
        if !self.leaves_stdin(words) {
            // It may have read all, or a block of it: nothing is certain but the end.
            pipe.borrow_mut().spoil();
        }
        Ok(())
    }

    /// Whether a tool surely does not read standard input.
    fn leaves_stdin(&self, words: &[Vec<u8>]) -> bool {
        const NEVER: &[&[u8]] = &[
            b"echo",
            b"printf",
            b"ls",
            b"find",
            b"tree",
            b"basename",
            b"dirname",
            b"test",
            b"[",
            b"seq",
            b"true",
        ];
        if NEVER.contains(&words[0].as_slice()) {
            return true;
        }
        let named = words
            .last()
            .filter(|w| w.contains(&b'.') || w.contains(&b'/'));
        let there = named.is_some_and(|w| self.snapshot.resolve(&self.vars.cwd, w, true).is_ok());
        let dash = words.iter().any(|w| w == b"-" || w == b"/dev/stdin");
        let least = if matches!(
            words[0].as_slice(),
            b"grep" | b"egrep" | b"fgrep" | b"rg" | b"sed"
        ) {
            3
        } else {
            2
        };
        there && !dash && words.len() >= least && words[0] != b"xargs" && words[0] != b"tr"
    }

    fn extended_test(&mut self, expr: &ExtendedTestExpr, io: &Io) -> Result<bool, Refusal> {
        self.depth += 1;
        if self.depth > 50 {
            return Err(Refusal::new("[[ ]] nested too deeply"));
        }
        Ok(match expr {
            ExtendedTestExpr::And(a, b) => {
                self.extended_test(a, io)? && self.extended_test(b, io)?
            }
            ExtendedTestExpr::Or(a, b) => {
                self.extended_test(a, io)? || self.extended_test(b, io)?
            }
            ExtendedTestExpr::Not(a) => !self.extended_test(a, io)?,
            ExtendedTestExpr::Parenthesized(a) => self.extended_test(a, io)?,
            ExtendedTestExpr::UnaryTest(op, word) => {
                let value = self.single(&word.value, io)?;
                if matches!(
                    op,
                    UnaryPredicate::ShellVariableIsSetAndAssigned
                        | UnaryPredicate::FileExistsAndIsSymlink
                ) {
                    return Err(Refusal::new("a test of [[ ]] not known here"));
                }
                let name = op.to_string().into_bytes();
                self.file_test(&name, &value)?
            }
            ExtendedTestExpr::BinaryTest(op, a, b) => {
                let left = self.single(&a.value, io)?;
                let how: &[u8] = match op {
                    BinaryPredicate::StringExactlyMatchesPattern
                    | BinaryPredicate::StringDoesNotExactlyMatchPattern => {
                        let pattern = self.pattern(&b.value, io)?;
                        let matched = Pattern::of_bash(&pattern, false)?.matches(&left)?;
                        return Ok(
                            matched == matches!(op, BinaryPredicate::StringExactlyMatchesPattern)
                        );
                    }
                    BinaryPredicate::ArithmeticEqualTo => b"-eq",
                    BinaryPredicate::ArithmeticNotEqualTo => b"-ne",
                    BinaryPredicate::ArithmeticLessThan => b"-lt",
                    BinaryPredicate::ArithmeticLessThanOrEqualTo => b"-le",
                    BinaryPredicate::ArithmeticGreaterThan => b"-gt",
                    BinaryPredicate::ArithmeticGreaterThanOrEqualTo => b"-ge",
                    BinaryPredicate::LeftSortsBeforeRight => b"<",
                    BinaryPredicate::LeftSortsAfterRight => b">",
                    _ => return Err(Refusal::new("a test of [[ ]] not known here")),
                };
                let right = self.single(&b.value, io)?;
                let odd = || Refusal::new("a test of [[ ]] not known here");
                curserve_tools::test::compare(&left, how, &right)?.ok_or_else(odd)?
            }
        })
    }
}

/// Whether a word of it holds a newline: which of its lines bash then names is not known here.
fn spans_lines(command: &SimpleCommand) -> bool {
    let prefix = command.prefix.iter().flat_map(|p| &p.0);
    let suffix = command.suffix.iter().flat_map(|s| &s.0);
    let name = command.word_or_name.iter();
    name.map(|word| word.value.as_str())
        .chain(prefix.chain(suffix).filter_map(|item| match item {
            Item::Word(word) | Item::AssignmentWord(_, word) => Some(word.value.as_str()),
            _ => None,
        }))
        .any(|text| text.contains('\n'))
}

/// The file of `$(<FILE)`.
fn read_file_only(program: &Program) -> Option<&str> {
    use brush_parser::ast::{IoFileRedirectKind, IoFileRedirectTarget, IoRedirect};
    let [list] = program.complete_commands.as_slice() else {
        return None;
    };
    let [item] = list.0.as_slice() else {
        return None;
    };
    let [Command::Simple(simple)] = item.0.first.seq.as_slice() else {
        return None;
    };
    if simple.word_or_name.is_some() || simple.suffix.is_some() || !item.0.additional.is_empty() {
        return None;
    }
    match simple.prefix.as_ref()?.0.as_slice() {
        [Item::IoRedirect(IoRedirect::File(
            None,
            IoFileRedirectKind::Read,
            IoFileRedirectTarget::Filename(word),
        ))] => Some(&word.value),
        _ => None,
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
