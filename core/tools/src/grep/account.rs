//! What a call says of each file after its search, and what its exit code says of them all.

use super::options::{Binary, List, Options};
use crate::decimal::push_number;
use crate::{Call, Reason};

/// What the search of one file gave.
#[derive(Default)]
pub(super) struct Shown {
    /// Its lines, as they come out.
    pub(super) out: Vec<u8>,
    /// How many lines are selected; where that is all that is asked, 1 stands for any number.
    pub(super) selected: u64,
    /// What its lines are to those of other files.
    pub(super) group: Group,
    /// Something of it would have come out, but is not text.
    pub(super) kept_back: bool,
}

/// Whether lines of a file and those of the files around it are set apart, as was seen where context is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Group {
    /// It has no groups of lines.
    #[default]
    None,
    /// It has, but is binary: only what comes after it is set apart.
    Unseen,
    /// It has groups that are set apart, even where `-o` finds nothing to show in them.
    Seen,
}

/// One call, as it goes over its files.
pub(super) struct Account<'g, 'c> {
    pub(super) call: &'g mut Call<'c>,
    options: &'g Options,
    /// Nobody wants to know more.
    pub(super) done: bool,
    any_selected: bool,
    any_failed: bool,
    /// There was a group, from which the next one is set apart.
    has_group: bool,
}

impl<'g, 'c> Account<'g, 'c> {
    /// Of a call that has said nothing yet.
    pub(super) fn new(call: &'g mut Call<'c>, options: &'g Options) -> Self {
        Account {
            call,
            options,
            done: false,
            any_selected: false,
            any_failed: false,
            has_group: false,
        }
    }

    /// The exit code: with `-q` a selected line outweighs a failure.
    pub(super) fn code(&self) -> i32 {
        match (self.any_selected, self.any_failed) {
            (true, failed) if self.options.quiet || !failed => 0,
            (_, true) => 2,
            _ => 1,
        }
    }

    /// Says something of a file, unless `-s` forbids it.
    pub(super) fn warn(&mut self, name: &[u8], message: &str) {
        if !self.options.no_messages {
            self.message(name, message);
        }
    }

    /// Says why a file failed.
    pub(super) fn fail(&mut self, name: &[u8], reason: Reason) {
        self.any_failed = true;
        if !self.options.no_messages {
            self.call.complain(&reason.complaint("grep: ", name));
        }
    }

    /// Takes what the search of a file gave.
    pub(super) fn file(&mut self, name: &[u8], with_name: bool, shown: &Shown) {
        let is_selected = shown.selected > 0;
        self.any_selected |= is_selected;
        if self.options.quiet {
            self.done |= is_selected;
            return;
        }
        match self.options.list {
            List::Nothing => {}
            list if is_selected == (list == List::Matching) => self.list(name),
            _ => {}
        }
        if self.options.count {
            self.count(name, with_name, shown.selected);
        }
        self.lines(shown);
        let is_told = self.options.binary == Binary::Message && !self.call.out.goes_nowhere();
        if shown.kept_back && is_told {
            self.message(name, "binary file matches");
        }
        self.done |= self.call.out.full();
    }

    fn list(&mut self, name: &[u8]) {
        let end = if self.options.null_names {
            b"\0"
        } else {
            b"\n"
        };
        self.call.out.write(&[name, end].concat());
    }

    fn count(&mut self, name: &[u8], with_name: bool, count: u64) {
        let mut line = Vec::new();
        if with_name {
            line.extend_from_slice(name);
            line.push(if self.options.null_names { 0 } else { b':' });
        }
        push_number(&mut line, count);
        line.push(b'\n');
        self.call.out.write(&line);
    }

    /// Writes lines, set apart from those of the files before.
    fn lines(&mut self, shown: &Shown) {
        if let (true, Group::Seen, Some(separator)) =
            (self.has_group, shown.group, &self.options.separator)
        {
            self.call.out.write(&[separator.as_slice(), b"\n"].concat());
        }
        self.has_group |= shown.group != Group::None;
        self.call.out.write(&shown.out);
    }

    fn message(&mut self, name: &[u8], message: &str) {
        let line = [b"grep: ", name, b": ", message.as_bytes(), b"\n"];
        self.call.complain(&line.concat());
    }
}
