//! Records that wait: for their contents, or for the end of their batch.

use crate::disk::{Disk, Log};
use crate::entry::Kind;
use crate::error::Error;
use crate::fault::Fault;
use crate::message::{Content, Message, Op, MAX_NAMES};

use super::changes::passes;
use super::state::{Link, Replica};

/// The most bytes of contents whose record has not come yet.
const MAX_PARTIAL: usize = 1 << 30;
/// The most bytes between begin and commit.
const MAX_BATCH: usize = 256 << 20;

impl<D: Disk, L: Log> Replica<D, L> {
    pub(super) fn take(&mut self, sequence: u64, op: Op) -> Result<(), Error> {
        let link = self.link.as_mut().expect("a record came by it");
        match &op {
            Op::Begin if link.in_batch => return Err(Fault::new("a batch in a batch").into()),
            Op::Begin => link.in_batch = true,
            Op::Commit if !link.in_batch => {
                return Err(Fault::new("the end of no batch").into());
            }
            Op::Flush if !link.in_batch => {
                return Err(Fault::new("a part of no batch").into());
            }
            Op::Commit => {
                link.in_batch = false;
                link.batch_bytes = 0;
            }
            Op::Flush => link.batch_bytes = 0,
            Op::Put { entry, content, .. } => {
                let bytes = match content {
                    Content::Whole(bytes) => bytes.len(),
                    Content::Delta { frame, .. } => frame.len(),
                    Content::Bulk { have } => {
                        let hash = entry.content();
                        let old = hash.and_then(|hash| self.partial.remove(&hash));
                        let mut old = old.unwrap_or_default();
                        if (old.len() as u64) < *have {
                            return Err(Fault::new("the rest of a content that is not here").into());
                        }
                        old.truncate(*have as usize);
                        link.bulk.insert(sequence, old);
                        0
                    }
                    Content::None => 0,
                };
                if link.in_batch {
                    link.batch_bytes += bytes + 200;
                }
                if link.batch_bytes > MAX_BATCH {
                    return Err(Fault::new("a batch of more than 256 MiB").into());
                }
            }
            _ => {}
        }
        let is_flush = op == Op::Flush;
        link.queue.push_back((sequence, op));
        if !link.in_batch || is_flush {
            link.whole = link.queue.len();
        }
        Ok(())
    }

    pub(super) fn piece(&mut self, number: u64, bytes: &[u8]) -> Result<(), Error> {
        let link = self.link.as_mut().expect("a piece came by it");
        let wanted = link.queue.iter().find(|(sequence, _)| *sequence == number);
        let size = match wanted {
            Some((_, Op::Put { entry, .. })) => match entry.kind {
                Kind::File { size, .. } => size,
                _ => 0,
            },
            _ => 0,
        };
        let held: usize = link.bulk.values().map(Vec::len).sum();
        match link.bulk.get_mut(&number) {
            None => Err(Fault::new(format!("a piece of {number}, which waits for none")).into()),
            Some(have) if (have.len() + bytes.len()) as u64 > size => {
                Err(Fault::new(format!("more pieces of {number} than its size")).into())
            }
            Some(_) if held + bytes.len() > MAX_PARTIAL => {
                Err(Fault::new("more than 1 GiB of contents that wait").into())
            }
            Some(have) => {
                have.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Applies what can be applied.
    pub(super) fn advance(&mut self) -> Result<(), Error> {
        loop {
            let Some(link) = &mut self.link else {
                return Ok(());
            };
            if link.whole == 0 || !self.contents_are_here() {
                break;
            }
            let link = self.link.as_mut().expect("it was just there");
            let (sequence, op) = link.queue.pop_front().expect("as many as are whole");
            match self.apply(sequence, &op) {
                Ok(()) => {}
                Err(Error::Disk(error)) if passes(&error) => {
                    self.stalled = Some(error.to_string());
                    let link = self.link.as_mut().expect("it was just there");
                    link.queue.push_front((sequence, op));
                    self.answer_asks();
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            self.stalled = None;
            let link = self.link.as_mut().expect("it was just there");
            link.bulk.remove(&sequence);
            link.whole -= 1;
            link.applied = sequence;
            self.last.sequence = sequence;
        }
        self.answer_asks();
        self.touch_late()?;
        self.compare_edited()?;
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        if link.whole == 0 && link.applied > link.reported && !link.in_batch {
            link.reported = link.applied;
            let sequence = link.applied;
            self.out.push_back(Message::Applied { sequence });
        }
        Ok(())
    }

    /// Whether the next record, or the whole batch that it begins, has its contents.
    fn contents_are_here(&self) -> bool {
        let link = self.link.as_ref().expect("asked with a connection");
        let is_here = |(sequence, op): &(u64, Op)| match op {
            Op::Put { entry, .. } => match (&entry.kind, link.bulk.get(sequence)) {
                (Kind::File { size, .. }, Some(have)) => have.len() as u64 >= *size,
                _ => true,
            },
            _ => true,
        };
        match link.queue.front() {
            Some((_, Op::Begin)) => {
                let batch = link.queue.iter().take(link.whole);
                batch
                    .take_while(|(_, op)| !matches!(op, Op::Commit | Op::Flush))
                    .all(is_here)
            }
            Some(one) => is_here(one),
            None => true,
        }
    }

    /// What has come of long contents is used when the client sends the same ones again.
    pub(super) fn keep_partial(&mut self, mut link: Link) {
        for (sequence, op) in link.queue {
            let Op::Put { entry, .. } = op else { continue };
            let have = link.bulk.remove(&sequence).filter(|have| !have.is_empty());
            if let (Some(hash), Some(have)) = (entry.content(), have) {
                if self.partial.len() < MAX_NAMES {
                    self.partial.insert(hash, have);
                }
            }
        }
    }
}
