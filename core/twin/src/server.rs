//! The server's side: keeps the copy, answers what a daemon on it answers exactly, sends all else home.

mod answering;
mod copy;
mod home;
mod link;
mod shared;
mod stats;

use std::io;
use std::path::Path;
use std::sync::Arc;

use curserve_exec::Limits;
use curserve_mirror::{Beneath, Error, FileLog, Limits as Sizes, Replica};
use curserve_proto::{Answer, Call, Handler, Identity};
use serde_json::Value;

use crate::line::Streams;
use shared::Shared;

/// A session: one copy of one workspace, over any number of connections, one at a time.
#[derive(Clone)]
pub struct Session(Arc<Shared>);

impl Session {
    /// The session whose copy lies in the folder `root`, and whose log is the file `log`; both may be new.
    ///
    /// # Errors
    /// Where either cannot be had.
    pub fn open(root: &Path, log: &Path, limits: Limits) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        let root = root.canonicalize()?;
        let disk = Beneath::open(&root, Box::new(|_| false), false)?;
        let mut fresh = [0; 16];
        io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut fresh)?;
        let replica = Replica::open(disk, FileLog::open(log)?, fresh, Sizes::default());
        let replica = replica.map_err(|error| match error {
            Error::Disk(error) => error,
            Error::Fault(fault) => io::Error::other(format!("{}: {fault}", log.display())),
        })?;
        Ok(Session(Arc::new(Shared::new(root, limits, replica))))
    }

    /// Speaks with the client until the connection ends; why it did. Another connection that there is, is ended.
    ///
    /// # Errors
    /// Where the copy cannot be kept any more: the session is to be dropped.
    pub fn connect(&self, streams: Streams) -> io::Result<String> {
        self.0.connect(streams)
    }

    /// The folder of the copy.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// What there is to be said of the session.
    pub fn stats(&self) -> Value {
        self.0.stats()
    }
}

impl Handler for Session {
    fn identity(&self) -> Identity {
        Identity {
            program: "mirror".into(),
            program_version: env!("CARGO_PKG_VERSION").into(),
            root: self.0.root.to_string_lossy().into_owned(),
            at: self.0.at(),
        }
    }

    fn call(&self, call: &Call) -> Answer {
        self.0.answer(call)
    }

    fn stats(&self) -> Value {
        self.0.stats()
    }
}
