//! `read`: lines of a file.

use std::io::{self, BufRead, BufReader};

use curserve_proto::{Answer, Call};

use super::{complaint, reason};
use crate::arguments::{flag, number, text, Wrong};
use crate::beneath::Spot;
use crate::due::Due;
use crate::places::Places;

/// After so many bytes the clock is looked at: a hundred microseconds of them.
const BETWEEN_LOOKS: usize = 1 << 20;

/// Lines of a file that are asked for.
pub struct Read<'c> {
    path: &'c str,
    offset: u64,
    limit: u64,
    numbered: bool,
}

impl<'c> Read<'c> {
    /// What `call` asks for.
    ///
    /// # Errors
    /// The complaint about arguments that are none of this tool.
    pub fn new(call: &'c Call) -> Result<Self, Wrong> {
        Ok(Read {
            path: text(call, "path")?,
            offset: number(call, "offset")?.unwrap_or(1).max(1),
            limit: number(call, "limit")?.unwrap_or(u64::MAX),
            numbered: flag(call, "numbered", false)?,
        })
    }

    /// The file, as the caller names it.
    pub fn path(&self) -> &'c str {
        self.path
    }

    /// The answer from the file system, of at most `most` bytes.
    ///
    /// # Errors
    /// A refusal, or what is wrong with the file; out of time.
    pub fn on_disk(
        &self,
        places: &Places,
        cwd: &str,
        most: usize,
        due: Due,
    ) -> Result<Answer, Answer> {
        let complain = |error: &io::Error| complaint("read", self.path, &reason(error));
        let file = places
            .reach(cwd, self.path, false, Spot::open_regular)
            .map_err(|miss| miss.answer(complain))?;
        let size = file.metadata().map_or(0, |meta| meta.len());
        let source = BufReader::with_capacity(256 << 10, file);
        self.answer(source, size as usize, most, due)
    }

    /// The answer from the file's content, which is `size` bytes long; of at most `most` bytes.
    ///
    /// # Errors
    /// Out of time.
    pub fn answer(
        &self,
        mut source: impl BufRead,
        size: usize,
        most: usize,
        due: Due,
    ) -> Result<Answer, Answer> {
        let mut out = Vec::with_capacity(match self.limit {
            u64::MAX => size.min(most),
            _ => 4096,
        });
        // Lines that have begun: a line is taken as it comes, since the first of a large file may be all of it.
        let (mut lines, mut at_start) = (0u64, true);
        let mut unwatched = 0;
        loop {
            let asked = self.offset - 1;
            if at_start && lines >= asked && lines - asked >= self.limit {
                break;
            }
            let buffer = match source.fill_buf() {
                Ok([]) => break,
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(complaint("read", self.path, &reason(&error))),
            };
            lines += u64::from(at_start);
            let end = memchr::memchr(b'\n', buffer).map(|at| at + 1);
            let part = &buffer[..end.unwrap_or(buffer.len())];
            if lines >= self.offset {
                if self.numbered && at_start {
                    out.extend_from_slice(format!("{lines:6}\t").as_bytes());
                }
                out.extend_from_slice(part);
                if out.len() > most {
                    return Ok(Answer::failed(format!("more than {most} bytes of output")));
                }
            }
            at_start = end.is_some();
            let taken = part.len();
            source.consume(taken);
            unwatched += taken;
            if unwatched >= BETWEEN_LOOKS {
                due.check()?;
                unwatched = 0;
            }
        }
        if self.offset > 1 && lines < self.offset {
            let what = format!("line {} asked for; it has {lines}", self.offset);
            return Ok(complaint("read", self.path, &what));
        }
        Ok(Answer::done(0, out, ""))
    }
}
