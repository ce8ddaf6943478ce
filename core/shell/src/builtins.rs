//! What bash does itself: `cd`, `pwd`, `echo`, `printf`, `test`, `read`, `exit` and a few more.

use curserve_corpus::{Errno, Kind};
use curserve_tools::{printf, test, words, Call, Out, Reason, Stdin, Writes};

use crate::exec::Flow;
use crate::state::Shell;
use crate::streams::{unknown_input, Io, Sink, Source};
use crate::Refusal;

impl Shell<'_> {
    /// Runs a builtin; `None` where `words` names none.
    ///
    /// # Errors
    /// Where the builtin is asked for what is not done here, or a message of it is not known.
    pub fn builtin(
        &mut self,
        words: &[Vec<u8>],
        io: &Io,
        empty_ifs: bool,
    ) -> Result<Option<Flow>, Refusal> {
        io.stdin.unspoiled()?;
        let args: Vec<&[u8]> = words[1..].iter().map(Vec::as_slice).collect();
        self.vars.status = match words[0].as_slice() {
            b":" | b"true" => 0,
            b"false" => 1,
            b"echo" => self.word_tool(words::echo, words, io)?,
            b"printf" if args.first() != Some(&&b"-v"[..]) => {
                self.word_tool(printf::printf, words, io)?
            }
            b"test" => self.word_tool(test::test, words, io)?,
            b"[" => self.word_tool(test::bracket, words, io)?,
            b"cd" => self.cd(&args, io)?,
            b"pwd" => {
                let cwd = match args.as_slice() {
                    [] | [b"-L"] => self.vars.cwd.clone(),
                    [b"-P"] => match self.snapshot.resolve(b"/", &self.vars.cwd, true) {
                        Ok(node) => node.path(),
                        Err(_) => return Err(Refusal::new("pwd -P of a folder that is gone")),
                    },
                    _ => return Err(Refusal::new("an option of pwd")),
                };
                self.write(io.out, &[&cwd, &b"\n"[..]].concat());
                0
            }
            b"read" => self.read_line(&args, io, empty_ifs)?,
            b"exit" if self.lasting => return Err(Refusal::new("the end of a shell that lasts")),
            b"exit" => {
                let status = match args.as_slice() {
                    [] => self.vars.status,
                    [n] if n.len() <= 3 => curserve_text::options::ANY.read(n)?.number as i32 & 255,
                    _ => return Err(Refusal::new("exit with what is no number")),
                };
                self.vars.status = status;
                return Ok(Some(Flow::Exit));
            }
            b"break" | b"continue" => {
                let n = match args.as_slice() {
                    [] => 1,
                    _ => return Err(Refusal::new("break or continue of several loops")),
                };
                if self.loops == 0 {
                    return Err(Refusal::new("break or continue outside a loop"));
                }
                self.vars.status = 0;
                return Ok(Some(if words[0] == b"break" {
                    Flow::Break(n)
                } else {
                    Flow::Continue(n)
                }));
            }
            b"export" if args.is_empty() => {
                return Err(Refusal::new("export of all that there is"))
            }
            b"export" => {
                for arg in &args {
                    let text = std::str::from_utf8(arg).unwrap_or("-");
                    let name = text.split('=').next().unwrap_or("");
                    if !is_name(name) {
                        return Err(Refusal::new("export of what is no name"));
                    }
                    if let Some((name, value)) = text.split_once('=') {
                        self.set(name, Some(value.as_bytes().to_vec()))?;
                    }
                }
                0
            }
            b"unset" => {
                for arg in &args {
                    let name = std::str::from_utf8(arg).unwrap_or("-");
                    if !is_name(name) {
                        return Err(Refusal::new("unset of what is no name"));
                    }
                    self.set(name, None)?;
                }
                0
            }
            b"." | b"source" | b"eval" | b"exec" | b"set" | b"shopt" | b"trap" | b"type"
            | b"command" | b"builtin" | b"declare" | b"typeset" | b"local" | b"let" | b"alias"
            | b"unalias" | b"hash" | b"jobs" | b"wait" | b"kill" | b"ulimit" | b"umask"
            | b"times" | b"history" | b"dirs" | b"pushd" | b"popd" | b"return" | b"shift"
            | b"getopts" | b"mapfile" | b"readarray" | b"readonly" | b"enable" | b"help"
            | b"printf" => {
                return Err(Refusal::new(format!(
                    "the builtin {}",
                    String::from_utf8_lossy(&words[0])
                )))
            }
            _ => return Ok(None),
        };
        Ok(Some(Flow::On))
    }

    /// Runs a builtin that is written as a tool.
    fn word_tool(
        &mut self,
        tool: curserve_tools::Tool,
        words: &[Vec<u8>],
        io: &Io,
    ) -> Result<i32, Refusal> {
        if !Writes::harmless(words) {
            self.unwritten()?;
        }
        let mut out = Out::within(self.limits.output, &self.memory);
        let mut err = Out::within(self.limits.output, &self.memory);
        let mut call = self.call(words, &mut out, &mut err);
        let status = tool(&mut call)?;
        if out.overflowed() || !err.as_bytes().is_empty() {
            return Err(Refusal::new(
                "a builtin that complains, or prints beyond the limit",
            ));
        }
        self.write(io.out, out.as_bytes());
        Ok(status)
    }

    /// A call of a tool as a builtin has it: nothing to read, nothing written but its output.
    fn call<'a>(&'a self, args: &'a [Vec<u8>], out: &'a mut Out, err: &'a mut Out) -> Call<'a> {
        Call {
            args,
            stdin: Stdin::DevNull,
            cwd: &self.vars.cwd,
            snapshot: self.snapshot,
            world: self.world,
            out,
            err,
            writes: None,
            deadline: self.limits.deadline,
            memory: &self.memory,
        }
    }

    /// One test of a file, for `[[ ]]`.
    ///
    /// # Errors
    /// As [`test::unary`].
    pub fn file_test(&mut self, op: &[u8], word: &[u8]) -> Result<bool, Refusal> {
        self.unwritten()?;
        let mut out = Out::new(0);
        let mut err = Out::new(0);
        let call = self.call(&[], &mut out, &mut err);
        test::unary(&call, op, word)
    }

    fn cd(&mut self, args: &[&[u8]], io: &Io) -> Result<i32, Refusal> {
        let args = match args {
            [b"--", rest @ ..] => rest,
            _ => args,
        };
        let target = match args {
            [] => self.get("HOME")?.map_or(Vec::new(), |home| home.to_vec()),
            [b"-"] => match &self.vars.old_cwd {
                Some(old) => old.clone(),
                None => return Err(Refusal::new("cd - without a folder before")),
            },
            [b""] => return Ok(0),
            [word, ..] if word.starts_with(b"-") && word.len() > 1 => {
                return Err(Refusal::new("an option of cd"))
            }
            [word] => word.to_vec(),
            _ => {
                self.complain(io, b"cd: too many arguments")?;
                return Ok(1);
            }
        };
        let path = match self.logical(&target)? {
            Ok(path) => path,
            Err(reason) => {
                // A file written before may lie there by now, and the reason be another.
                self.unwritten()?;
                let reason = format!(": {reason}");
                let text = [b"cd: ", target.as_slice(), reason.as_bytes()].concat();
                self.complain(io, &text)?;
                return Ok(1);
            }
        };
        self.vars.old_cwd = Some(std::mem::replace(&mut self.vars.cwd, path));
        if args == [b"-"] {
            let text = [&self.vars.cwd, &b"\n"[..]].concat();
            self.write(io.out, &text);
        }
        Ok(0)
    }

    /// The logical path of a folder, with `.` and `..` taken away as `cd` does.
    fn logical(&self, target: &[u8]) -> Result<Result<Vec<u8>, Reason>, Refusal> {
        let mut path = if target.starts_with(b"/") {
            Vec::new()
        } else {
            self.vars.cwd.clone()
        };
        if path == b"/" {
            path.clear();
        }
        let outside = |path: &[u8]| {
            Refusal::Outside(format!(
                "cd outside the root: {}",
                String::from_utf8_lossy(path)
            ))
        };
        for part in target.split(|&b| b == b'/') {
            match part {
                b"" | b"." => continue,
                b".." if path.is_empty() => continue,
                b".." => {
                    match self.snapshot.resolve(b"/", &path, true) {
                        Ok(node) if node.kind() == Kind::Folder => {}
                        // bash then tries the path as it was given, which is rare enough.
                        _ => return Err(outside(target)),
                    }
                    path.truncate(memchr::memrchr(b'/', &path).unwrap_or(0));
                }
                name => {
                    path.push(b'/');
                    path.extend_from_slice(name);
                }
            }
        }
        if path.is_empty() {
            return Ok(Ok(b"/".to_vec()));
        }
        match self.snapshot.resolve(b"/", &path, true) {
            Ok(node) if node.kind() == Kind::Folder => Ok(Ok(path)),
            Ok(_) => Ok(Err(Reason::NOT_DIRECTORY)),
            Err(Errno::Outside) => Err(outside(&path)),
            Err(errno) => Reason::of(errno, &path).map(Err),
        }
    }

    fn read_line(&mut self, args: &[&[u8]], io: &Io, empty_ifs: bool) -> Result<i32, Refusal> {
        let (mut raw, mut names) = (false, Vec::new());
        for arg in args {
            match *arg {
                b"-r" if names.is_empty() => raw = true,
                name => match std::str::from_utf8(name) {
                    Ok(name) if is_name(name) => names.push(name),
                    _ => return Err(Refusal::new("an option of read")),
                },
            }
        }
        let line = match &io.stdin {
            Source::Null => Vec::new(),
            Source::Unknown => return Err(unknown_input()),
            Source::Pipe(pipe) | Source::File(pipe) => pipe.borrow_mut().line().to_vec(),
        };
        let status = i32::from(line.last() != Some(&b'\n'));
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        if names.is_empty() || line.contains(&0) || line.contains(&b'\\') && !raw {
            return Err(Refusal::new(
                "read without names, or of NULs or backslashes",
            ));
        }
        if empty_ifs {
            self.set(names[0], Some(line.to_vec()))?;
            for name in &names[1..] {
                self.set(name, Some(Vec::new()))?;
            }
            return Ok(status);
        }
        let mut rest = line.trim_ascii();
        if line.iter().any(|b| matches!(b, 11..=13)) {
            return Err(Refusal::new("read of control characters"));
        }
        for (i, name) in names.iter().enumerate() {
            let end = rest
                .iter()
                .position(|b| matches!(b, b' ' | b'\t'))
                .unwrap_or(rest.len());
            let value = if i + 1 == names.len() {
                rest
            } else {
                &rest[..end]
            };
            self.set(name, Some(value.to_vec()))?;
            rest = if i + 1 == names.len() {
                b""
            } else {
                rest[end..].trim_ascii_start()
            };
        }
        Ok(status)
    }

    /// Whether a sink is `/dev/null`; there, nothing of a race can be seen.
    pub fn is_unseen(sink: Sink) -> bool {
        sink == Sink::Null
    }
}

/// Whether a variable can have this name.
fn is_name(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    text.bytes().next().is_some_and(letter) && text.bytes().all(|b| letter(b) || b.is_ascii_digit())
}
