//! The two lanes to the server: messages in order, and pieces that they overtake.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::message::{Content, Message, Op};

/// The two lanes.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) control: VecDeque<Message>,
    pub(super) bulk: VecDeque<Bulk>,
    /// Of a batch that is being made.
    pub(super) batch: Option<usize>,
}

/// A content that is sent in pieces.
#[derive(Debug)]
pub(super) struct Bulk {
    pub(super) number: u64,
    pub(super) bytes: Arc<[u8]>,
    pub(super) sent: usize,
}

impl Outgoing {
    /// About how many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        let inline = self.control.iter().map(|message| match message {
            Message::Record {
                op:
                    Op::Put {
                        content: Content::Whole(bytes) | Content::Delta { frame: bytes, .. },
                        ..
                    },
                ..
            } => 100 + bytes.len(),
            _ => 100,
        });
        let pieces = self.bulk.iter().map(|bulk| bulk.bytes.len() - bulk.sent);
        inline.sum::<usize>() + pieces.sum::<usize>()
    }

    pub(super) fn next_piece(&mut self, most: usize) -> Option<Message> {
        let bulk = self.bulk.front_mut()?;
        let end = bulk.bytes.len().min(bulk.sent + most);
        let number = bulk.number;
        let bytes = bulk.bytes[bulk.sent..end].into();
        bulk.sent = end;
        if end == bulk.bytes.len() {
            self.bulk.pop_front();
        }
        Some(Message::Piece { number, bytes })
    }
}
