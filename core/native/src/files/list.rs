//! `list`: names in a folder.

use curserve_proto::{Answer, Call};
use rustix::fs::{Dir, FileType, OFlags};

use super::{complaint, reason};
use crate::arguments::{optional_text, Wrong};
use crate::due::Due;
use crate::places::Places;

/// After so many names the clock is looked at.
const BETWEEN_LOOKS: usize = 1 << 10;

/// A folder whose names are asked for.
pub struct List<'c> {
    path: &'c str,
}

impl<'c> List<'c> {
    /// What `call` asks for.
    ///
    /// # Errors
    /// The complaint about arguments that are none of this tool.
    pub fn new(call: &'c Call) -> Result<Self, Wrong> {
        Ok(List {
            path: optional_text(call, "path")?.unwrap_or("."),
        })
    }

    /// The folder, as the caller names it.
    pub fn path(&self) -> &'c str {
        self.path
    }

    /// The answer from the file system.
    ///
    /// # Errors
    /// A refusal, or what is wrong with the folder; out of time.
    pub fn on_disk(&self, places: &Places, cwd: &str, due: Due) -> Result<Answer, Answer> {
        let names = places.reach(cwd, self.path, false, |spot| {
            let folder = spot.open(OFlags::RDONLY | OFlags::DIRECTORY)?;
            let mut names = Vec::new();
            for (number, entry) in Dir::new(folder)?.enumerate() {
                if (number + 1) % BETWEEN_LOOKS == 0 {
                    if let Err(late) = due.check() {
                        return Ok(Err(late));
                    }
                }
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    names.push((name.to_vec(), entry.file_type() == FileType::Directory));
                }
            }
            Ok(Ok(names))
        });
        let complain = |error: &_| complaint("list", self.path, &reason(error));
        let mut names = names.map_err(|miss| miss.answer(complain))??;
        names.sort_unstable();
        let names = names
            .iter()
            .map(|(name, folder)| (name.as_slice(), *folder));
        Self::answer(names, due)
    }

    /// The answer from the names, in the order of their bytes; each with whether it is a folder.
    ///
    /// # Errors
    /// Out of time.
    pub fn answer<'n>(
        names: impl Iterator<Item = (&'n [u8], bool)>,
        due: Due,
    ) -> Result<Answer, Answer> {
        let mut out = Vec::new();
        for (number, (name, is_folder)) in names.enumerate() {
            if (number + 1) % BETWEEN_LOOKS == 0 {
                due.check()?;
            }
            out.extend_from_slice(name);
            out.extend_from_slice(if is_folder { b"/\n" } else { b"\n" });
        }
        Ok(Answer::done(0, out, ""))
    }
}
