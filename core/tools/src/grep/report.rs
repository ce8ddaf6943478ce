//! What a run says of each file after its search, and what the exit code says of them all: a port of `grepdesc`.

use super::options::{List, Options};
use super::printer::Found;
use crate::decimal::push_number;
use crate::Call;

/// What has been said so far.
pub(super) struct Report<'g, 'c> {
    /// The call, for its output.
    pub(super) call: &'g mut Call<'c>,
    options: &'g Options,
    /// A file had a group.
    used: bool,
    /// A file had a line.
    selected: bool,
    /// A file could not be read.
    failed: bool,
    /// `-q` has found a line, or nobody reads on.
    pub(super) done: bool,
}

impl<'g, 'c> Report<'g, 'c> {
    /// Before the first file.
    pub(super) fn new(call: &'g mut Call<'c>, options: &'g Options) -> Self {
        Report {
            call,
            options,
            used: false,
            selected: false,
            failed: false,
            done: false,
        }
    }

    /// The exit code.
    pub(super) fn code(&self) -> i32 {
        match (self.done, self.failed) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => i32::from(!self.selected),
        }
    }

    /// Says what there is to say of `name`, short of failing.
    pub(super) fn warn(&mut self, name: &[u8], message: &str) {
        if !self.options.no_messages {
            let line = [b"grep: ", name, b": ", message.as_bytes(), b"\n"];
            self.call.err.write(&line.concat());
        }
    }

    /// Says why `name` failed.
    pub(super) fn complain(&mut self, name: &[u8], message: &str) {
        self.warn(name, message);
        self.failed = true;
    }

    /// Prints what was found in `name`: lines, a count, the name alone, the message about binary files.
    pub(super) fn found(&mut self, name: &[u8], with_name: bool, found: &Found) {
        let options = self.options;
        if found.wants_separator && self.used {
            if let Some(separator) = &options.separator {
                self.call.out.write(&[separator, &b"\n"[..]].concat());
            }
        }
        self.used |= found.used;
        self.call.out.write(&found.out);
        if found.binary_message {
            let line = [b"grep: ", name, b": binary file matches\n"];
            self.call.err.write(&line.concat());
        }
        if options.count {
            let mut line = Vec::with_capacity(name.len() + 8);
            if with_name {
                line.extend_from_slice(name);
                line.push(if options.null_names { 0 } else { b':' });
            }
            push_number(&mut line, found.lines);
            line.push(b'\n');
            self.call.out.write(&line);
        }
        let selected = found.lines > 0;
        self.selected |= selected;
        let listed = match options.list {
            List::Nothing => false,
            List::Matching => selected,
            List::NonMatching => !selected,
        };
        if listed {
            let end: &[u8] = if options.null_names { b"\0" } else { b"\n" };
            self.call.out.write(&[name, end].concat());
        }
        self.done |= options.quiet && selected || self.call.out.full();
    }
}
