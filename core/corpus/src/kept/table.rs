//! The table: which files the kept segments index, and of which bytes. A head says of which format it is and what the
//! digest of the rest is, so that what is cut, damaged or of another version is known before it is read.

use std::path::Path;

use std::os::unix::ffi::OsStrExt;

use crate::state::{Digest, TextDigest};

const MARK: &[u8; 8] = b"curserve";
/// What the table's own bytes mean; those of segments have a number of their own.
const FORMAT: u32 = 1;

/// What is kept of one root.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table<'b> {
    pub(crate) rows: Vec<Row<'b>>,
}

/// A segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row<'b> {
    pub(crate) segment: Digest,
    pub(crate) texts: Vec<Text<'b>>,
}

/// A file of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text<'b> {
    /// Where it lies below the root; empty where it had changed since the segment was built.
    pub(crate) path: &'b [u8],
    pub(crate) digest: TextDigest,
}

impl<'b> Table<'b> {
    /// The bytes that [`Table::read`] reads.
    pub(crate) fn write(&self, root: &Path) -> Vec<u8> {
        let mut body = Vec::new();
        put(&mut body, root.as_os_str().as_bytes());
        for row in &self.rows {
            body.extend_from_slice(&row.segment);
            body.extend_from_slice(&(row.texts.len() as u32).to_le_bytes());
            for text in &row.texts {
                put(&mut body, text.path);
                body.extend_from_slice(&text.digest);
            }
        }
        let digest = blake3::hash(&body);
        [MARK, &versions()[..], digest.as_bytes(), &body].concat()
    }

    /// What was kept of `root`.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub(crate) fn read(bytes: &'b [u8], root: &Path) -> Result<Table<'b>, &'static str> {
        const DAMAGED: &str = "is cut or damaged";
        let (mark, rest) = bytes.split_first_chunk().ok_or(DAMAGED)?;
        let (found, rest) = rest.split_first_chunk().ok_or(DAMAGED)?;
        if mark != MARK {
            return Err(DAMAGED);
        }
        if *found != versions() {
            return Err("is of another version");
        }
        let (digest, body) = rest.split_first_chunk::<32>().ok_or(DAMAGED)?;
        if blake3::hash(body) != *digest {
            return Err(DAMAGED);
        }
        let mut rest = Rest(body);
        if rest.path().ok_or(DAMAGED)? != root.as_os_str().as_bytes() {
            return Err("is of another folder");
        }
        let mut rows = Vec::new();
        while !rest.0.is_empty() {
            rows.push(rest.row().ok_or(DAMAGED)?);
        }
        Ok(Table { rows })
    }
}

fn versions() -> [u8; 8] {
    (u64::from(curserve_index::FORMAT) << 32 | u64::from(FORMAT)).to_le_bytes()
}

fn put(into: &mut Vec<u8>, path: &[u8]) {
    into.extend_from_slice(&(path.len() as u32).to_le_bytes());
    into.extend_from_slice(path);
}

struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn number(&mut self) -> Option<usize> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number) as usize)
    }

    fn path(&mut self) -> Option<&'b [u8]> {
        let len = self.number()?;
        let (path, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(path)
    }

    fn row(&mut self) -> Option<Row<'b>> {
        let (segment, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        let count = self.number()?;
        let texts = (0..count).map(|_| self.text()).collect::<Option<_>>()?;
        Some(Row {
            segment: *segment,
            texts,
        })
    }

    fn text(&mut self) -> Option<Text<'b>> {
        let path = self.path()?;
        let (digest, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(Text {
            path,
            digest: *digest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<'static> {
        let text = |path, digest| Text {
            path,
            digest: [digest; 16],
        };
        let row = |segment, texts| Row {
            segment: [segment; 32],
            texts,
        };
        let texts = vec![text(&b"a/b\xff"[..], 1), text(b"", 0), text(b"c", 7)];
        Table {
            rows: vec![row(3, texts), row(4, Vec::new())],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let root = Path::new("/some/where");
        let bytes = table().write(root);
        assert_eq!(Table::read(&bytes, root), Ok(table()));
        let other = Table::read(&bytes, Path::new("/else/where"));
        assert_eq!(other, Err("is of another folder"));
    }

    #[test]
    fn what_is_cut_or_changed_anywhere_is_not() {
        let root = Path::new("/some/where");
        let bytes = table().write(root);
        for len in 0..bytes.len() {
            assert!(Table::read(&bytes[..len], root).is_err(), "{len}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x20;
            let said = Table::read(&bytes, root).unwrap_err();
            let is_version = (8..16).contains(&at);
            assert_eq!(said == "is of another version", is_version, "{at}");
        }
    }
}
