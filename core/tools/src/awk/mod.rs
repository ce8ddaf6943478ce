//! `awk`, as far as agents use it to read files: patterns, ranges, `print`, `printf`, counters, `exit`. It is the installed
//! mawk 1.3.4, which works on bytes; what is said here of its ways was seen.
//!
//! ```text
//! program   = { rule }
//! rule      = [ "BEGIN" | "END" | expression [ "," expression ] ] [ "{" statements "}" ]
//! statement = "print" [ list ] | "printf" list | "if" "(" expression ")" statement [ "else" statement ]
//!           | "for" "(" … ")" statement | "while" "(" expression ")" statement
//!           | "next" | "exit" [ expression ] | "{" statements "}" | expression
//! ```
//!
//! Left to the real program: redirections, `getline`, functions but the few of [`eval`], `for … in`, `delete`, what is
//! assigned to a field or to a variable of awk's own (`OFS`, and `FS` before the first line, excepted), numbers that are not
//! whole where they are shown, and every program that mawk would complain of.

mod eval;
mod format;
mod lex;
mod machine;
mod parse;
mod pattern;
mod program;
mod refuse;
mod run;
mod split;
mod terms;
mod value;

use crate::input::{self, Operand};
use crate::intake::{of_operands, Intake};
use crate::{Call, Refusal};
use machine::Machine;
use program::Rule;
use refuse::refuse;

/// A command line.
struct Line<'a> {
    program: &'a [u8],
    separator: Option<&'a [u8]>,
    /// `-v`: names and values.
    variables: Vec<(&'a [u8], &'a [u8])>,
    operands: Vec<&'a [u8]>,
}

impl<'a> Line<'a> {
    fn of(args: &[&'a [u8]]) -> Result<Line<'a>, Refusal> {
        let mut args = args.iter().copied();
        let (mut separator, mut variables) = (None, Vec::new());
        let program = loop {
            let Some(arg) = args.next() else {
                return refuse("no program");
            };
            let mut value = |attached: &'a [u8]| match attached {
                [] => args
                    .next()
                    .map_or_else(|| refuse("an option without its value"), Ok),
                attached => Ok(attached),
            };
            match arg {
                b"--" => match args.next() {
                    Some(program) => break program,
                    None => return refuse("no program"),
                },
                [b'-', b'F', attached @ ..] => separator = Some(value(attached)?),
                [b'-', b'v', attached @ ..] => {
                    let text = value(attached)?;
                    let Some(at) = text.iter().position(|&b| b == b'=') else {
                        return refuse("a variable without a value");
                    };
                    if text.contains(&b'\\') {
                        return refuse("a backslash in a variable's value");
                    }
                    variables.push((&text[..at], &text[at + 1..]));
                }
                [b'-', ..] => return refuse("an option"),
                program => break program,
            }
        };
        let operands: Vec<_> = args.collect();
        if operands.iter().any(|o| o.contains(&b'=') || o.is_empty()) {
            return refuse("an operand that is empty, or looks like an assignment");
        }
        Ok(Line {
            program,
            separator,
            variables,
            operands,
        })
    }
}

/// How far a program with these arguments reads its standard input.
pub(crate) fn intake<A: AsRef<[u8]>>(args: &[A]) -> Intake {
    let args: Vec<&[u8]> = args.iter().map(AsRef::as_ref).collect();
    let line = Line::of(&args);
    let Ok(line) = line else {
        return Intake::Unknown;
    };
    // One with `exit`, or without rules for lines, may end early; so may one that the shell has still to put together.
    let may_end = [&b"exit"[..], b"BEGIN", b"getline", b"`"]
        .iter()
        .any(|word| memchr::memmem::find(line.program, word).is_some());
    let is_field = |at: usize| {
        let name = &line.program[at + 1..];
        name.first().is_some_and(u8::is_ascii_digit) || name.starts_with(b"NF")
    };
    match may_end || !memchr::memchr_iter(b'$', line.program).all(is_field) {
        true => Intake::Unknown,
        false => of_operands(line.operands.iter().copied()),
    }
}

/// Runs `awk`.
///
/// # Errors
/// Where the program lies outside of the subset above, or mawk may answer it otherwise.
pub fn awk(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let line = Line::of(&args)?;
    let program = parse::parse(line.program)?;
    let mut machine = Machine::new(call, line.separator, &program.names, program.rules.len())?;
    for (name, value) in &line.variables {
        machine.set_from_outside(name, value)?;
    }
    machine.run(call, program.begin())?;
    if !program.reads() {
        return Ok(machine.status());
    }
    if machine.is_going() {
        read(call, &mut machine, &program.rules, &line.operands)?;
    }
    machine.finish();
    machine.run(call, program.end())?;
    Ok(machine.status())
}

/// Gives every line of every operand to the rules.
fn read<'a>(
    call: &mut Call<'a>,
    machine: &mut Machine<'a>,
    rules: &[Rule],
    operands: &[&[u8]],
) -> Result<(), Refusal> {
    let stdin: [&[u8]; 1] = [b"-"];
    let operands = match operands {
        [] => &stdin[..],
        some => some,
    };
    input::named_once(call, operands)?;
    for operand in operands {
        let content = match input::open_once(call, operand)? {
            Operand::Content(content) => content,
            Operand::Directory => return refuse("a folder to read"),
            Operand::Failed(reason) => {
                // It ends there, and what it has written until then comes behind the message.
                if !call.out.as_bytes().is_empty() {
                    return refuse("a file that cannot be opened behind output");
                }
                let reason = format!(" ({reason})\n");
                let parts = [&b"awk: cannot open "[..], operand, reason.as_bytes()];
                call.complain_early(&parts.concat());
                machine.fail();
                return Ok(());
            }
        };
        if memchr::memchr(0, content).is_some() {
            return refuse("a NUL in its input");
        }
        machine.open();
        for record in input::lines(content) {
            machine.record(call, rules, record)?;
            if !machine.is_going() {
                return Ok(());
            }
        }
    }
    Ok(())
}
