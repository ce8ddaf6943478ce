//! Redirections: `/dev/null`, duplicates of 1 and 2, input from files and here-documents. Writes to files are planned.

use brush_parser::ast::{IoFileRedirectKind as K, IoFileRedirectTarget as T, IoRedirect, Word};
use curserve_corpus::{Errno, Kind};
use curserve_tools::Reason;

use crate::state::Shell;
use crate::streams::{Io, Sink, Source};
use crate::Refusal;

fn refuse<T>(what: &str) -> Result<T, Refusal> {
    Err(Refusal::new(format!(
        "a redirection not known here: {what}"
    )))
}

impl Shell<'_> {
    /// Applies redirections in order; `None` when one failed, and said so: the command does not run.
    ///
    /// # Errors
    /// Where one is not known here, or leads outside the root.
    pub fn redirect<'r>(
        &mut self,
        io: &Io,
        redirects: impl IntoIterator<Item = &'r IoRedirect>,
    ) -> Result<Option<Io>, Refusal> {
        let mut new = io.clone();
        for redirect in redirects {
            match redirect {
                IoRedirect::File(
                    fd,
                    kind @ (K::Write | K::Append | K::Clobber),
                    T::Filename(word),
                ) => {
                    let append = matches!(kind, K::Append);
                    let sink = self.write_target(word, &new, append)?;
                    self.point(&mut new, fd.unwrap_or(1), sink)?;
                }
                IoRedirect::OutputAndError(word, append) => {
                    let sink = self.write_target(word, &new, *append)?;
                    self.point(&mut new, 1, sink)?;
                    self.point(&mut new, 2, sink)?;
                }
                IoRedirect::File(fd, K::DuplicateOutput, target) => {
                    let from = match target {
                        T::Fd(n) => *n,
                        T::Duplicate(word) => match word.value.as_str() {
                            "1" => 1,
                            "2" => 2,
                            _ => return refuse("a duplicate of neither 1 nor 2"),
                        },
                        T::Filename(_) | T::ProcessSubstitution(..) => {
                            return refuse("an unusual target")
                        }
                    };
                    let sink = match from {
                        1 => new.out,
                        2 => new.err,
                        _ => return refuse("a duplicate of neither 1 nor 2"),
                    };
                    self.point(&mut new, fd.unwrap_or(1), sink)?;
                }
                IoRedirect::File(None | Some(0), K::Read, T::Filename(word)) => {
                    let path = self.target(word, &new)?;
                    match self.open_input(&path)? {
                        Ok(source) => new.stdin = source,
                        Err(reason) => {
                            let text = [&path[..], format!(": {reason}").as_bytes()].concat();
                            // Where standard error points by now, as redirections are made one after the other.
                            self.complain(&new, &text)?;
                            self.unopened = true;
                            return Ok(None);
                        }
                    }
                }
                IoRedirect::HereString(None | Some(0), word) => {
                    let mut text = self.single(&word.value, &new)?;
                    text.push(b'\n');
                    new.stdin = Source::here(text, &self.memory)?;
                }
                IoRedirect::HereDocument(None | Some(0), doc) if !doc.remove_tabs => {
                    let text = match doc.requires_expansion {
                        true => self.heredoc(&doc.doc.value, &new)?,
                        false => doc.doc.value.clone().into_bytes(),
                    };
                    new.stdin = Source::here(text, &self.memory)?;
                }
                IoRedirect::File(
                    _,
                    K::Read
                    | K::Write
                    | K::Append
                    | K::Clobber
                    | K::ReadAndWrite
                    | K::DuplicateInput,
                    _,
                )
                | IoRedirect::HereString(..)
                | IoRedirect::HereDocument(..) => return refuse("its kind or file descriptor"),
            }
        }
        Ok(Some(new))
    }

    fn target(&mut self, word: &Word, io: &Io) -> Result<Vec<u8>, Refusal> {
        let mut fields = Vec::new();
        self.fields(&word.value, io, &mut fields)?;
        match fields.len() {
            1 => Ok(fields.remove(0)),
            _ => refuse("a target of none or many words"),
        }
    }

    fn write_target(&mut self, word: &Word, io: &Io, append: bool) -> Result<Sink, Refusal> {
        match self.target(word, io)?.as_slice() {
            b"/dev/null" => Ok(Sink::Null),
            b"/dev/stdout" => Ok(io.out),
            b"/dev/stderr" => Ok(io.err),
            path => self.open_output(path, append),
        }
    }

    fn point(&self, io: &mut Io, fd: i32, sink: Sink) -> Result<(), Refusal> {
        match fd {
            1 => io.out = sink,
            2 => io.err = sink,
            _ => return refuse("a file descriptor other than 1 and 2"),
        }
        Ok(())
    }

    /// Opens a file for reading; the kernel's reason where it fails.
    ///
    /// # Errors
    /// Where it is no file, lies outside the root, is not in memory, or may have been written before.
    pub fn open_input(&self, path: &[u8]) -> Result<Result<Source, Reason>, Refusal> {
        if path == b"/dev/null" {
            return Ok(Ok(Source::Null));
        }
        self.unwritten()?;
        match self.snapshot.resolve(&self.vars.cwd, path, true) {
            Ok(node) if node.kind() == Kind::File => match node.bytes() {
                Ok(content) => Source::file(content.to_vec(), &self.memory).map(Ok),
                Err(_) => Err(Refusal::NotInMemory("a file not in memory".into())),
            },
            Ok(_) => refuse("input from what is no file"),
            Err(Errno::Outside) => Err(Refusal::Outside("a path outside the root".into())),
            Err(errno) => Reason::of(errno, path).map(Err),
        }
    }
}
