//! Folders on the way to what is made, and their times.

use std::io;

use crate::disk::{Disk, Log, New};
use crate::error::Error;
use crate::path::RelPath;

use super::changes::passes;
use super::state::Replica;

impl<D: Disk, L: Log> Replica<D, L> {
    /// The folders down to `path` are on the disk as the client has them, even if an edit has taken one away.
    pub(super) fn ensure_folder(&mut self, path: &RelPath) -> Result<(), Error> {
        let mut folders = path.ancestors();
        folders.push(path.clone());
        for folder in folders.iter().filter(|folder| !folder.is_root()) {
            let there = self.disk.look(folder)?;
            if there.is_some_and(|look| look.is_folder()) {
                continue;
            }
            let entry = self.base.entry(folder).cloned();
            let mode = entry.as_ref().map_or(0o755, |entry| entry.mode);
            self.show(folder, &New::Folder { mode })?;
            if let Some(entry) = entry {
                self.disk.set(folder, Some(entry.mode), Some(entry.mtime))?;
            }
            self.touch_parent(folder)?;
        }
        Ok(())
    }

    /// What was done in a folder has changed its time here; it is the client's that counts. Where that fails it is done later.
    pub(super) fn touch_parent(&mut self, path: &RelPath) -> io::Result<()> {
        self.touch_folder(&path.parent())
    }

    fn touch_folder(&mut self, folder: &RelPath) -> io::Result<()> {
        match self.touch(folder) {
            Err(error) if passes(&error) => {
                self.stalled = Some(error.to_string());
                self.late.insert(folder.clone());
                Ok(())
            }
            done => done,
        }
    }

    fn touch(&mut self, folder: &RelPath) -> io::Result<()> {
        let Some(entry) = self.base.entry(folder) else {
            return Ok(());
        };
        let (mode, mtime) = (entry.mode, entry.mtime);
        let there = self.disk.look(folder)?;
        match entry.is_folder() && there.is_some_and(|look| look.is_folder()) {
            true => self.disk.set(folder, Some(mode), Some(mtime)),
            false => Ok(()),
        }
    }

    /// Sets the times that could not be set.
    pub(super) fn touch_late(&mut self) -> io::Result<()> {
        while let Some(folder) = self.late.pop_first() {
            self.stalled = None;
            self.touch_folder(&folder)?;
            if self.late.contains(&folder) {
                break;
            }
        }
        Ok(())
    }
}
