//! What frames hold: requests, answers, and the handler that turns one into the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Refusal;

/// The version of the protocol.
pub const VERSION: u32 = 1;

/// What a request asks for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Who answers here?
    Hello,
    /// Execute a tool call.
    Call,
    /// Are you there?
    Ping,
    /// Program-specific counters.
    Stats,
    /// End.
    Shutdown,
}

/// One request. Fields that its `op` does not use are at their defaults.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// The caller's number, echoed.
    pub id: u64,
    /// What is asked for.
    pub op: Op,
    /// The caller's protocol version (`hello`).
    #[serde(default)]
    pub version: Option<u32>,
    /// The tool call (`call`).
    #[serde(flatten)]
    pub call: Call,
}

/// A tool call: canonical tool and arguments (docs/FORMAT.md), where it runs and how long it may take.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Call {
    /// Canonical name.
    #[serde(default)]
    pub tool: String,
    /// Canonical arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// Absolute working directory as the commands see it; `None`: the root.
    #[serde(default)]
    pub cwd: Option<String>,
    /// Milliseconds; `None`: the program's own limit.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// In whose place the call is answered, where the commands are not to see the pinned world.
    #[serde(default)]
    pub caller: Option<Caller>,
}

/// A program that somebody started, and what it was given: the call is what that program would do, and it only reads.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Caller {
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// What it was called, where it is a shell: bash, unless it is `sh`, which is dash.
    #[serde(default)]
    pub shell: Option<String>,
    /// Whether its standard input is something else than `/dev/null`.
    #[serde(default)]
    pub has_input: bool,
    /// Whether a shell's two outputs are one, so that all it says comes in one stream.
    #[serde(default)]
    pub merged: bool,
}

impl Call {
    /// The string argument `name`, if it is there and a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.arguments.get(name).and_then(Value::as_str)
    }
}

/// What a tool call gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// As a shell reports it (128 + n for signal n); `None` where there is no answer.
    pub exit_code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Why the call was not executed: the caller should run the real thing.
    pub refused: Option<Box<Refusal>>,
    /// Why there is no answer (a time-out, a limit).
    pub failed: Option<String>,
    /// Where a shell that lasts from call to call is now; `None` where none does, or (the daemon's) it did not move.
    pub cwd: Option<Box<str>>,
    /// Of an answer that a mirror gave: what it cost.
    pub mirror: Option<Box<Mirrored>>,
}

/// What an answer of a mirror cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mirrored {
    /// Why the call was run where the workspace is; `None`: it was answered from the copy.
    pub home: Option<String>,
    /// How long it waited for what it needs.
    pub barrier_ns: u64,
    /// Bytes over the wire since the answer before, both ways.
    pub wire_bytes: u64,
}

impl Answer {
    /// A call that ended with `exit_code`.
    pub fn done(exit_code: i32, stdout: impl Into<Vec<u8>>, stderr: impl Into<Vec<u8>>) -> Self {
        Answer {
            exit_code: Some(exit_code),
            stdout: stdout.into(),
            stderr: stderr.into(),
            ..Answer::default()
        }
    }

    /// A call whose arguments are not of its tool's form: answered as an agent's own tools do, with a complaint.
    pub fn misused(complaint: impl std::fmt::Display) -> Self {
        Answer::done(2, "", format!("{complaint}\n"))
    }

    /// A call that was left to the real programs.
    pub fn refused(refusal: Refusal) -> Self {
        Answer {
            refused: Some(Box::new(refusal)),
            ..Answer::default()
        }
    }

    /// A call without an answer.
    pub fn failed(reason: impl Into<String>) -> Self {
        Answer {
            failed: Some(reason.into()),
            ..Answer::default()
        }
    }

    /// The header of the frame that carries this answer; the payload is `stdout`, then `stderr`.
    pub fn header(&self, id: u64, service_ns: u64) -> Vec<u8> {
        #[derive(Serialize)]
        struct Header<'a> {
            id: u64,
            exit_code: Option<i32>,
            stdout_len: usize,
            stderr_len: usize,
            service_ns: u64,
            refused: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            refusal: Option<&'static str>,
            failed: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            cwd: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            mirror: Option<&'a Mirrored>,
        }
        serde_json::to_vec(&Header {
            id,
            exit_code: self.exit_code,
            stdout_len: self.stdout.len(),
            stderr_len: self.stderr.len(),
            service_ns,
            refused: self.refused.as_ref().map(ToString::to_string),
            refusal: self.refused.as_ref().map(|refusal| refusal.kind()),
            failed: self.failed.as_deref(),
            cwd: self.cwd.as_deref(),
            mirror: self.mirror.as_deref(),
        })
        .expect("a struct of numbers and strings is JSON")
    }
}

/// Who answers: the response to `hello`.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `worker`, `daemon`, or an external engine's name.
    pub program: String,
    /// Its version.
    pub program_version: String,
    /// The workspace on this machine.
    pub root: String,
    /// Where commands see it.
    pub at: String,
}

/// A program that executes tool calls; called from many threads at once.
pub trait Handler: Send + Sync + 'static {
    /// Who answers here.
    fn identity(&self) -> Identity;

    /// Execute one call.
    fn call(&self, call: &Call) -> Answer;

    /// Whether `call` is answered so fast that having the connection looked at meanwhile would cost more.
    fn is_quick(&self, _call: &Call) -> bool {
        false
    }

    /// Whether it answers in the place of a [`Caller`].
    fn serves_callers(&self) -> bool {
        false
    }

    /// Program-specific counters, an object.
    fn stats(&self) -> Value {
        Value::Object(Map::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_with_its_defaults() {
        let request: Request = serde_json::from_str(
            r#"{"id": 7, "op": "call", "tool": "bash", "arguments": {"command": "ls"}, "cwd": null}"#,
        )
        .unwrap();
        assert_eq!((request.id, request.op), (7, Op::Call));
        assert_eq!(request.call.text("command"), Some("ls"));
        assert_eq!(request.call.cwd, None);
        assert!(serde_json::from_str::<Request>(r#"{"id": 7, "op": "dance"}"#).is_err());
    }

    #[test]
    fn an_answer_tells_its_lengths() {
        let header: Value =
            serde_json::from_slice(&Answer::done(1, "ab", "c").header(7, 5)).unwrap();
        assert_eq!(header["stdout_len"], 2);
        assert_eq!(header["stderr_len"], 1);
        assert_eq!(header["exit_code"], 1);
        assert_eq!(header["refused"], Value::Null);
        assert_eq!(header.get("refusal"), None);
    }

    #[test]
    fn a_refusal_tells_its_kind_beside_its_reason() {
        let refusal = Refusal::Loading(Refusal::NotInMemory("cat: a file".into()).to_string());
        let header: Value = serde_json::from_slice(&Answer::refused(refusal).header(7, 5)).unwrap();
        assert_eq!(header["refused"], "still loading (cat: a file)");
        assert_eq!(header["refusal"], "loading");
    }
}
