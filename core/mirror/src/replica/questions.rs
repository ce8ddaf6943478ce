//! What the client asks about folders.

use crate::disk::{Disk, Log};
use crate::entry::Kind;
use crate::message::{Message, Op, MAX_NAMES};
use crate::path::RelPath;

use super::state::Replica;

impl<D: Disk, L: Log> Replica<D, L> {
    /// Answers the questions that no verdict stands before. No other record that still waits is about what lies in a folder
    /// that is asked about: the client sends none before it has the answer.
    pub(super) fn answer_asks(&mut self) {
        while let Some(link) = &mut self.link {
            let verdict = link
                .queue
                .iter()
                .find(|(_, op)| matches!(op, Op::Verdict { .. }));
            let verdict = verdict.map_or(u64::MAX, |(sequence, _)| *sequence);
            match link.asks.front() {
                Some((after, ..)) if *after < verdict => {}
                _ => break,
            }
            if let Some((_, id, path)) = link.asks.pop_front() {
                self.list(id, &path);
            }
        }
    }

    fn list(&mut self, id: u64, path: &RelPath) {
        let mut entries = Vec::new();
        if let Some(node) = self.base.get_mut(path) {
            entries = node.listed();
        }
        let mut bytes = 0;
        let mut part = Vec::new();
        for listed in entries {
            bytes += listed.name.len() + 64;
            if let Kind::Link { target } = &listed.entry.kind {
                bytes += target.len();
            }
            if part.len() == MAX_NAMES || bytes > 512 << 10 {
                let entries = std::mem::take(&mut part);
                let last = false;
                self.out.push_back(Message::Listing { id, last, entries });
                bytes = 0;
            }
            part.push(listed);
        }
        self.out.push_back(Message::Listing {
            id,
            last: true,
            entries: part,
        });
    }
}
