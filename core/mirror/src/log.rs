//! A log in a file: entries with their lengths and check sums, each on the disk before it counts.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::disk::Log;

const HEAD: usize = 12;

/// A log in a file.
#[derive(Debug)]
pub struct FileLog {
    path: PathBuf,
    file: File,
    /// Up to here all is whole.
    end: u64,
}

impl FileLog {
    /// The log at `path`, which need not be there.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let options = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let file = options.open(path)?;
        let path = path.to_owned();
        Ok(FileLog { path, file, end: 0 })
    }
}

fn framed(entry: &[u8]) -> Vec<u8> {
    let mut bytes = (entry.len() as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(&blake3::hash(entry).as_bytes()[..8]);
    bytes.extend_from_slice(entry);
    bytes
}

impl Log for FileLog {
    fn entries(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut bytes)?;
        let (mut rest, mut entries) = (&bytes[..], Vec::new());
        while rest.len() >= HEAD {
            let length = u32::from_le_bytes(rest[..4].try_into().expect("four bytes")) as usize;
            let Some(entry) = rest.get(HEAD..HEAD + length) else {
                break;
            };
            if blake3::hash(entry).as_bytes()[..8] != rest[4..HEAD] {
                break;
            }
            entries.push(entry.to_vec());
            rest = &rest[HEAD + length..];
        }
        self.end = (bytes.len() - rest.len()) as u64;
        self.file.set_len(self.end)?;
        Ok(entries)
    }

    fn append(&mut self, entry: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        let bytes = framed(entry);
        let done = self
            .file
            .write_all(&bytes)
            .and_then(|()| self.file.sync_data());
        match done {
            Ok(()) => {
                self.end += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // What may stand there in part is not there.
                let _ = self.file.set_len(self.end);
                Err(error)
            }
        }
    }

    fn replace(&mut self, entries: &[Vec<u8>]) -> io::Result<()> {
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| framed(entry)).collect();
        let beside = self.path.with_extension("new");
        let mut options = OpenOptions::new();
        let options = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600);
        let mut file = options.open(&beside)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        std::fs::rename(&beside, &self.path)?;
        if let Some(folder) = self.path.parent().filter(|folder| *folder != Path::new("")) {
            File::open(folder)?.sync_all()?;
        }
        (self.file, self.end) = (file, bytes.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_off_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = FileLog::open(&path).unwrap();
        assert!(log.entries().unwrap().is_empty());
        let all: [&[u8]; 3] = [b"one", b"", b"three"];
        all.iter().for_each(|entry| log.append(entry).unwrap());
        let whole = std::fs::read(&path).unwrap();
        for end in 0..=whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let mut log = FileLog::open(&path).unwrap();
            let there = log.entries().unwrap();
            assert!(there.len() <= 3 && there.iter().zip(all).all(|(a, b)| a == b));
            log.append(b"more").unwrap();
            let mut again = FileLog::open(&path).unwrap();
            assert_eq!(again.entries().unwrap().last().unwrap(), b"more");
        }
        log.replace(&[b"new".to_vec()]).unwrap();
        log.append(b"last").unwrap();
        let mut log = FileLog::open(&path).unwrap();
        assert_eq!(log.entries().unwrap(), [b"new".to_vec(), b"last".to_vec()]);
    }
}
