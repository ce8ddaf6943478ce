//! The two lanes to the server: messages in order, and pieces that they overtake.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::message::{Content, Message, Op};

/// The two lanes.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) control: VecDeque<Message>,
    pub(super) bulk: VecDeque<Bulk>,
    /// The batch that is being made.
    pub(super) batch: Option<Batch>,
}

/// A batch that is being made.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// How many records it has.
    pub(super) records: usize,
    /// Where among the messages that wait its beginning is; None: nowhere yet, or it has been sent.
    pub(super) begin: Option<usize>,
    /// About how many bytes the server has to hold of it.
    pub(super) bytes: usize,
}

/// A content that is sent in pieces.
#[derive(Debug)]
pub(super) struct Bulk {
    pub(super) number: u64,
    pub(super) bytes: Arc<[u8]>,
    pub(super) sent: usize,
}

impl Outgoing {
    /// The next message.
    pub(super) fn next(&mut self) -> Option<Message> {
        let message = self.control.pop_front()?;
        if let Some(batch) = &mut self.batch {
            batch.begin = batch.begin.and_then(|at| at.checked_sub(1));
        }
        Some(message)
    }

    /// About how many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        let inline = self.control.iter().map(|message| match message {
            Message::Record { op, .. } => bytes(op),
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

/// About how many bytes a record is.
pub(super) fn bytes(op: &Op) -> usize {
    match op {
        Op::Put {
            content: Content::Whole(bytes) | Content::Delta { frame: bytes, .. },
            ..
        } => 100 + bytes.len(),
        _ => 100,
    }
}
