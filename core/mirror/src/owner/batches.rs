//! What is said together: the records of one look, or of a burst of changes that is looked at many times.

use crate::message::{Message, Op};

use super::hold::Hold;
use super::lanes::{bytes, Batch};
use super::state::Owner;

impl<D, L> Owner<D, L> {
    /// Says what becomes of changes from now on.
    pub fn hold(&mut self, hold: Hold) {
        self.hold = hold;
        match hold {
            Hold::Free => self.close(),
            Hold::Held => {}
            Hold::Paused => self.flush(),
        }
    }

    /// What has been said may be applied, although it is not the whole batch.
    pub fn flush(&mut self) {
        if self.out.batch.as_ref().is_some_and(|batch| batch.bytes > 0) {
            self.emit(Op::Flush);
        }
    }

    /// Says `op`, with the next number, which it gives.
    pub(super) fn emit(&mut self, op: Op) -> u64 {
        if self.is_held() {
            self.out.batch.get_or_insert_default();
        }
        if let Some(batch) = &mut self.out.batch {
            if batch.records == 0 {
                batch.begin = Some(self.out.control.len());
                self.say(Op::Begin);
            }
        }
        let (is_flush, size) = (op == Op::Flush, bytes(&op));
        let number = self.say(op);
        let most = self.limits.batch;
        if let Some(batch) = &mut self.out.batch {
            batch.records += 1;
            batch.bytes = if is_flush { 0 } else { batch.bytes + size };
            if batch.bytes > most {
                self.emit(Op::Flush);
            }
        }
        number
    }

    /// What is said in `work` is one batch, if it is more than one record. Batches within are part of it.
    pub(super) fn batch<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        if self.link.is_none() || self.out.batch.is_some() || self.is_held() {
            return work(self);
        }
        self.out.batch = Some(Batch::default());
        let result = work(self);
        self.close();
        result
    }

    /// Whether what is said is part of a burst. Before the server is in step it answers nothing anyhow.
    fn is_held(&self) -> bool {
        self.hold != Hold::Free && self.link.as_ref().is_some_and(|link| link.in_step)
    }

    /// The batch that is being made is whole.
    fn close(&mut self) {
        match self.out.batch.take() {
            None | Some(Batch { records: 0, .. }) => {}
            Some(Batch {
                records: 1,
                begin: Some(begin),
                ..
            }) if self.is_without_pieces() => self.unwrap(begin),
            Some(_) => drop(self.say(Op::Commit)),
        }
    }

    /// Whether no content travels behind the last record.
    fn is_without_pieces(&self) -> bool {
        let last = self.link.as_ref().map(|link| link.sequence);
        let bulk = self.out.bulk.back().map(|bulk| bulk.number);
        bulk.is_none() || bulk != last
    }

    /// A batch of one record needs neither beginning nor end.
    fn unwrap(&mut self, begin: usize) {
        self.out.control.remove(begin);
        let after = self.out.control.range_mut(begin..);
        for message in after {
            if let Message::Record { sequence, .. } = message {
                *sequence -= 1;
            }
        }
        let link = self.link.as_mut().expect("a batch has a connection");
        link.sequence -= 1;
    }

    fn say(&mut self, op: Op) -> u64 {
        let link = self
            .link
            .as_mut()
            .expect("who says something has a connection");
        link.sequence += 1;
        let sequence = link.sequence;
        self.out.control.push_back(Message::Record { sequence, op });
        sequence
    }
}
