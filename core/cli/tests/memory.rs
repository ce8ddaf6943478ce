//! What the daemon holds stays near what it holds it for: once loaded, and again once nobody asks.
#![cfg(target_env = "gnu")]

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use curserve_proto::Channel;
use serde_json::{json, Value};

const FILES: usize = 2000;
const LINES: usize = 160;
/// What a process takes that holds nothing, names and metadata of [`FILES`] files included.
const PROCESS: usize = 6 << 20;

struct Daemon(Child);

impl Daemon {
    fn start(root: &Path, socket: &Path) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_curserve"));
        command.arg("serve").arg("--root").arg(root);
        command.arg("--socket").arg(socket);
        command.arg("--output-bytes").arg((1 << 30).to_string());
        command.arg("--unknown={}"); // nothing is asked of the machine, which may have no rg
        let child = command.stdin(Stdio::null()).spawn().expect("it starts");
        Daemon(child)
    }

    /// Memory of the process that is in no file.
    fn anonymous(&self) -> usize {
        let status = format!("/proc/{}/status", self.0.id());
        let status = std::fs::read_to_string(status).expect("it lives");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<usize>().ok()).expect("kB") << 10
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tries until there is an answer, or for a minute.
fn patiently<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        if let Some(found) = attempt() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{what}: not within a minute");
}

fn ask(channel: &mut Channel, request: &Value) -> (Value, usize) {
    channel.send(request.to_string().as_bytes()).expect("sent");
    let (header, payload) = channel.receive().expect("answered");
    (serde_json::from_slice(header).expect("JSON"), payload.len())
}

/// Files of words; returns their bytes.
fn make(root: &Path) -> usize {
    let words = ["self", "return", "context", "field", "queryset", "template"];
    let mut bytes = 0;
    for file in 0..FILES {
        let line = |line: usize| {
            let word = |at: usize| words[(file * 7 + line * at + at) % words.len()];
            format!("    {} = {}({}, {line})\n", word(1), word(5), word(3))
        };
        let text: String = (0..LINES).map(line).collect();
        bytes += text.len();
        std::fs::write(root.join(format!("file{file}.py")), text).expect("written");
    }
    bytes
}

#[test]
fn memory_is_that_of_the_contents_after_the_load_and_once_nobody_asks() {
    let (root, aside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let contents = make(root.path());
    let socket = aside.path().join("socket");
    let daemon = Daemon::start(root.path(), &socket);
    let stream = patiently("a connection", || UnixStream::connect(&socket).ok());
    let mut channel = Channel::new(stream);
    patiently("the load", || {
        let (stats, _) = ask(&mut channel, &json!({"id": 1, "op": "stats"}));
        (stats["loaded"] == true).then_some(())
    });
    let most = contents * 135 / 100 + PROCESS;
    let loaded = daemon.anonymous();
    assert!(loaded <= most, "{loaded} loaded, contents {contents}");
    for _ in 0..3 {
        let arguments = json!({"argv": ["rg", "-n", "-e", "[a-z]"]});
        let request = json!({"id": 2, "op": "call", "tool": "bash", "arguments": arguments});
        let (header, len) = ask(&mut channel, &request);
        assert!(len > contents, "{header}");
    }
    patiently("memory given back", || {
        (daemon.anonymous() <= most).then_some(())
    });
}
