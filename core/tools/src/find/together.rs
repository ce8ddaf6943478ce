//! `-exec grep -l PATTERN {} \;`: one search of all the files that find would give to a grep each.
//!
//! A grep for every file would translate its pattern anew for every file. Where that `-exec` is all that the
//! expression does, one grep is asked which of the files hold the pattern; of the others a grep of their own would have
//! printed nothing. What is no plain file that could be read, and so may have a message, is given to a grep of its own.

use curserve_corpus::{Kind, Node};

use super::command::run_with;
use super::expr::Expr;
use crate::grep::Facts;
use crate::{Call, Held, Memory, Out, Refusal, Stdin};

/// What the one search may print, which is names.
const NAMES: usize = 256 << 20;

/// What an `-exec` was given, in order.
pub struct Candidates {
    /// The command of the one search, with the files in it.
    words: Vec<Vec<u8>>,
    /// What goes by itself: the path, and how many words were there before it.
    alone: Vec<(usize, Vec<u8>)>,
    /// How many words come before the files.
    options: usize,
    held: Held,
}

impl Candidates {
    /// Nothing yet, for the only action of `expr`; None where it has others, or its command is not known to do nothing
    /// but print the names of the files that match.
    pub fn of<'e>(expr: &'e Expr, memory: &Memory) -> Option<(Candidates, &'e [Vec<u8>])> {
        let mut actions = Vec::new();
        collect(expr, &mut actions);
        // Whether what stands behind a command is reached depends on how the command ends.
        let behind = actions.iter().position(|a| matches!(a, Expr::Exec(_)))?;
        let [.., Expr::Exec(command)] = actions.as_slice() else {
            return None;
        };
        let only = actions[..behind].iter().all(|a| matches!(a, Expr::Prune));
        if behind + 1 != actions.len() || !only || !lists(command) {
            return None;
        }
        let (_, words) = command.split_last()?;
        let gathered = Candidates {
            words: words.to_vec(),
            alone: Vec::new(),
            options: words.len(),
            held: memory.hold(0).ok()?,
        };
        Some((gathered, command))
    }

    /// Adds a node that `-exec` is given.
    ///
    /// # Errors
    /// Where they are beyond the memory of the call.
    pub fn add(&mut self, path: &[u8], node: Node<'_>, kind: Kind) -> Result<(), Refusal> {
        self.held.more(path.len() + size_of::<Vec<u8>>() + 24)?;
        if kind == Kind::File && node.bytes().is_ok() && !path.contains(&b'\n') {
            self.words.push(path.to_vec());
        } else {
            self.alone.push((self.words.len(), path.to_vec()));
        }
        Ok(())
    }

    /// Runs `command` for all of them.
    ///
    /// # Errors
    /// Where the command refuses.
    pub fn run(self, call: &mut Call<'_>, command: &[Vec<u8>]) -> Result<(), Refusal> {
        if !matches!(call.stdin, Stdin::DevNull) {
            return Err(Refusal::new("find -exec where standard input is not empty"));
        }
        let Some(names) = self.search(call)? else {
            return self.one_by_one(call, command);
        };
        let mut alone = self.alone.iter().peekable();
        let mut at = self.options;
        for name in names.split_inclusive(|&b| b == b'\n') {
            if !self.alone.is_empty() {
                let path = &name[..name.len() - 1];
                while self.words.get(at).is_some_and(|word| word != path) {
                    at += 1;
                }
                while let Some((_, path)) = alone.next_if(|(before, _)| *before <= at) {
                    run_with(call, command, path)?;
                }
                at += 1;
            }
            let start = call.out.as_bytes().len();
            call.out.write(name);
            call.out.span(start, &command[0]);
        }
        for (_, path) in alone {
            run_with(call, command, path)?;
        }
        Ok(())
    }

    /// The files that match, a line each; None where the search has more to say than that.
    fn search(&self, call: &mut Call<'_>) -> Result<Option<Vec<u8>>, Refusal> {
        if self.words.len() == self.options {
            return Ok(Some(Vec::new()));
        }
        let stream = || Out::within(NAMES, call.memory);
        let (mut out, mut err) = (stream(), stream());
        let mut inner = Call {
            args: &self.words,
            out: &mut out,
            err: &mut err,
            ..call.again()
        };
        let status = crate::run(&self.words[0], &mut inner)?;
        let names = matches!(status, 0 | 1) && err.as_bytes().is_empty() && !out.overflowed();
        Ok(names.then(|| out.into_bytes()))
    }

    fn one_by_one(&self, call: &mut Call<'_>, command: &[Vec<u8>]) -> Result<(), Refusal> {
        let mut alone = self.alone.iter().peekable();
        for (at, path) in self.words.iter().enumerate().skip(self.options) {
            while let Some((_, path)) = alone.next_if(|(before, _)| *before <= at) {
                run_with(call, command, path)?;
            }
            run_with(call, command, path)?;
        }
        alone.try_for_each(|(_, path)| run_with(call, command, path).map(|_| ()))
    }
}

/// Everything in `expr` that is more than a test, in order.
fn collect<'e>(expr: &'e Expr, into: &mut Vec<&'e Expr>) {
    match expr {
        Expr::And(parts) => parts.iter().for_each(|part| collect(part, into)),
        Expr::Or(a, b) => [a, b].into_iter().for_each(|part| collect(part, into)),
        Expr::Not(a) => collect(a, into),
        Expr::Prune
        | Expr::Quit
        | Expr::Print
        | Expr::Print0
        | Expr::Printf(_)
        | Expr::Exec(_)
        | Expr::ExecPlus(..) => into.push(expr),
        _ => {}
    }
}

/// Whether a command is a grep that lists its one file `{}`, its last word, where that matches, and says no more.
fn lists(command: &[Vec<u8>]) -> bool {
    let Some((file, words)) = command.split_last() else {
        return false;
    };
    let braces = |word: &Vec<u8>| memchr::memmem::find(word, b"{}").is_some();
    // Without it the command is a whole one all the same: so it is no value of an option, and no pattern.
    let is_operand = Facts::of(words).is_some_and(|facts| facts.operands == 0);
    let lists = Facts::of(command).is_some_and(|facts| facts.lists && facts.operands == 1);
    file == b"{}" && !words.iter().any(braces) && is_operand && lists
}

#[cfg(test)]
mod tests {
    use super::lists;

    #[test]
    fn only_a_grep_that_lists_is_asked_once_for_all() {
        let is = |line: &str| {
            let words: Vec<Vec<u8>> = line.split(' ').map(|w| w.as_bytes().to_vec()).collect();
            lists(&words)
        };
        for line in [
            "grep -l a {}",
            "grep -il a {}",
            "grep a -l {}",
            "egrep -l -w a {}",
            "grep -cl a {}", // -l overrules -c
            "grep --files-with-m a {}",
            "grep -l -e a {}",
        ] {
            assert!(is(line), "{line}");
        }
        for line in [
            "grep a {}",
            "grep -L a {}",
            "grep -lq a {}",
            "grep -l a -e {}",
            "grep -lm1 a {}",
            "grep -l -f a {}",
            "grep -lv a {}",
            "grep -l a b {}",
            "grep -l {} {}",
            "grep -l a {}x",
            "grep -l {}",
            "grep -l a {} b",
            "grep -l --null a {}",
            "rg -l a {}",
        ] {
            assert!(!is(line), "{line}");
        }
    }
}
