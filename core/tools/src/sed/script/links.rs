//! Where blocks end and branches lead, which is known only once the script has been read on.

use super::reader::refuse;
use crate::sed::command::{Action, Command};
use crate::Refusal;

/// What has been met of a script; every number is the index of a command.
#[derive(Default)]
pub struct Links {
    open: Vec<usize>,
    labels: Vec<(Vec<u8>, usize)>,
    branches: Vec<(usize, Vec<u8>)>,
}

impl Links {
    /// `{` at `at`.
    pub fn open(&mut self, at: usize) {
        self.open.push(at);
    }

    /// `}`: where its block was opened.
    ///
    /// # Errors
    /// Where no block is open.
    pub fn close(&mut self) -> Result<usize, Refusal> {
        match self.open.pop() {
            Some(open) => Ok(open),
            None => refuse("a block that was not opened"),
        }
    }

    /// `:name` at `at`.
    pub fn label(&mut self, at: usize, name: Vec<u8>) {
        self.labels.push((name, at));
    }

    /// A branch at `at` to the label `name`; an empty one means the end of the script.
    pub fn branch(&mut self, at: usize, name: Vec<u8>) {
        self.branches.push((at, name));
    }

    /// Tells the branches among `commands`, which are all there are, where they lead.
    ///
    /// # Errors
    /// Where a label is not there, or a block is not closed.
    pub fn resolve(self, commands: &mut [Command]) -> Result<(), Refusal> {
        if !self.open.is_empty() {
            return refuse("a block without end");
        }
        let end = commands.len();
        for (from, name) in self.branches {
            let mut named = self.labels.iter().filter(|label| label.0 == name);
            let to = match (named.next(), named.next()) {
                _ if name.is_empty() => end,
                (Some((_, only)), None) => *only,
                _ => return refuse("a label that is missing or double"),
            };
            if let Action::Branch(t) | Action::BranchIf(t) | Action::BranchUnless(t) =
                &mut commands[from].action
            {
                *t = to;
            }
        }
        Ok(())
    }
}
