//! The entries of the two logs: what neither disk shows, and no walk brings back.

use crate::fault::Fault;
use crate::message::{
    read_outcome, read_proposal, write_outcome, write_proposal, Outcome, Proposal,
};
use crate::wire::{Reader, Writer, MAX_FILE};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// Both: the session.
    Session([u8; 16]),
    /// Server: the last epoch.
    Epoch(u64),
    /// Server: the number of the next edit is at least this.
    Next(u64),
    /// Server: an edit, with its content.
    Proposed(Proposal),
    /// Server: it has its verdict.
    Settled(u64),
    /// Client: this edit is about to be done.
    Intent(u64),
    /// Client: this became of it.
    Done(u64, Outcome),
}

impl Note {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        match self {
            Note::Session(id) => {
                w.byte(1);
                w.0.extend_from_slice(id);
            }
            Note::Epoch(epoch) => {
                w.byte(2);
                w.number(*epoch);
            }
            Note::Next(id) => {
                w.byte(3);
                w.number(*id);
            }
            Note::Proposed(proposal) => {
                w.byte(4);
                write_proposal(&mut w, proposal);
            }
            Note::Settled(id) => {
                w.byte(5);
                w.number(*id);
            }
            Note::Intent(id) => {
                w.byte(6);
                w.number(*id);
            }
            Note::Done(id, outcome) => {
                w.byte(7);
                w.number(*id);
                write_outcome(&mut w, outcome);
            }
        }
        w.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Note, Fault> {
        let mut r = Reader::new(bytes);
        let session = |r: &mut Reader<'_>| -> Result<[u8; 16], Fault> {
            Ok(r.take(16, "session")?.try_into().expect("16 bytes"))
        };
        let note = match r.byte("note")? {
            1 => Note::Session(session(&mut r)?),
            2 => Note::Epoch(r.number("epoch")?),
            3 => Note::Next(r.number("edit")?),
            4 => Note::Proposed(read_proposal(&mut r, MAX_FILE as usize)?),
            5 => Note::Settled(r.number("edit")?),
            6 => Note::Intent(r.number("edit")?),
            7 => Note::Done(r.number("edit")?, read_outcome(&mut r)?),
            other => return Err(Fault::new(format!("a note of kind {other} in the log"))),
        };
        r.end()?;
        Ok(note)
    }
}
