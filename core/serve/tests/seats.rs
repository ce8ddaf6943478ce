//! Connections that nobody uses keep nobody out; one that is used is not closed for another.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use curserve_proto::{read_frame, write_frame, Answer, Call, Handler, Identity};
use curserve_serve::{bind, serve, Limits, Stop};
use serde_json::{json, Value};

/// Answers a call once the gate is open.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    calls: AtomicUsize,
}

impl Handler for Gate {
    fn identity(&self) -> Identity {
        Identity {
            program: "gate".into(),
            program_version: "1".into(),
            root: "/".into(),
            at: "/".into(),
        }
    }

    fn call(&self, _: &Call) -> Answer {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let open = self.open.lock().expect("nobody panics with it");
        let waited = self.opened.wait_while(open, |open| !*open);
        drop(waited.expect("nobody panics with it"));
        Answer::done(0, "done", "")
    }
}

struct Server {
    _folder: tempfile::TempDir,
    path: PathBuf,
    gate: Arc<Gate>,
    stop: Stop,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Server {
    fn new(connections: usize, idle: Duration) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let (listener, _file) = bind(&path).expect("a socket");
        let (gate, stop) = (Arc::new(Gate::default()), Stop::default());
        let limits = Limits {
            connections,
            idle,
            ..Limits::default()
        };
        let (handler, told) = (Arc::clone(&gate), stop.clone());
        let thread = std::thread::spawn(move || serve(listener, handler, limits, told));
        Server {
            _folder: folder,
            path,
            gate,
            stop,
            thread: Some(thread),
        }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).expect("a connection");
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).expect("an open socket");
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        *self.gate.open.lock().expect("nobody panics with it") = true;
        self.gate.opened.notify_all();
        self.stop.stop();
        let ended = self.thread.take().expect("once").join();
        ended.expect("it ends").expect("without an error");
    }
}

fn send(stream: &mut UnixStream, request: &Value) {
    // Whoever has been dismissed may find that out here; what he was told is still to be read.
    let _ = write_frame(stream, request.to_string().as_bytes(), &[]);
}

/// The next answer; None at the end.
fn receive(stream: &mut UnixStream) -> Option<Value> {
    let frame = read_frame(stream).ok()??;
    Some(serde_json::from_slice(&frame.header).expect("JSON"))
}

fn ping(stream: &mut UnixStream) -> bool {
    send(stream, &json!({"id": 7, "op": "ping"}));
    receive(stream) == Some(json!({"id": 7, "ok": true}))
}

/// What a connection is told that is then closed.
fn farewell(stream: &mut UnixStream) -> String {
    let told = receive(stream).expect("a frame");
    assert_eq!(told["id"], Value::Null);
    let end = stream.read(&mut [0]);
    assert!(matches!(end, Ok(0)), "{end:?}");
    told["error"].as_str().expect("a text").to_owned()
}

/// Waits until the server has nothing in hand but this question.
fn settle(stream: &mut UnixStream) {
    let in_flight = |stream: &mut UnixStream| {
        send(stream, &json!({"id": 8, "op": "stats"}));
        receive(stream).expect("statistics")["in_flight"].as_u64()
    };
    let end = Instant::now() + Duration::from_secs(10);
    while in_flight(stream) != Some(1) {
        assert!(Instant::now() < end, "it does not settle");
        std::thread::yield_now();
    }
}

const SHORT: Duration = Duration::from_millis(50);

#[test]
fn who_has_been_silent_longest_makes_room() {
    let server = Server::new(8, SHORT);
    let mut all: Vec<UnixStream> = (0..8).map(|_| server.connect()).collect();
    for one in &mut all {
        assert!(ping(one));
    }
    std::thread::sleep(2 * SHORT);
    settle(&mut all[0]); // who is the one no more
    let mut newcomers: Vec<UnixStream> = (0..3).map(|_| server.connect()).collect();
    for newcomer in &mut newcomers {
        assert!(ping(newcomer));
    }
    for (number, one) in all.iter_mut().enumerate() {
        if (1..=3).contains(&number) {
            assert!(farewell(one).starts_with("closed: silent longest"));
        } else {
            assert!(ping(one), "{number}");
        }
    }
}

#[test]
fn connections_that_never_said_a_word_keep_nobody_out() {
    // Long enough for all of the newcomers to speak within it, however busy the machine.
    let idle = Duration::from_secs(2);
    let server = Server::new(16, idle);
    let silent: Vec<UnixStream> = (0..16).map(|_| server.connect()).collect();
    std::thread::sleep(2 * idle);
    let mut newcomers: Vec<UnixStream> = (0..16).map(|_| server.connect()).collect();
    for newcomer in &mut newcomers {
        assert!(ping(newcomer));
    }
    drop(silent);
    // Whoever has just been here is not sent away for the next one, who is told so.
    let mut one_more = server.connect();
    assert!(farewell(&mut one_more).starts_with("full: of 16 connections none"));
    assert!(newcomers.iter_mut().all(ping));
    // A seat that is given up is free at once.
    newcomers.pop();
    let end = Instant::now() + Duration::from_secs(10);
    while !ping(&mut server.connect()) {
        assert!(Instant::now() < end, "no seat");
    }
}

#[test]
fn a_call_in_flight_keeps_its_connection() {
    let server = Server::new(4, Duration::ZERO);
    let mut busy: Vec<UnixStream> = (0..4).map(|_| server.connect()).collect();
    for one in &mut busy {
        send(one, &json!({"id": 1, "op": "call", "tool": "bash"}));
    }
    while server.gate.calls.load(Ordering::SeqCst) < 4 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut newcomer = server.connect();
    assert!(farewell(&mut newcomer).starts_with("full"));
    *server.gate.open.lock().expect("nobody panics with it") = true;
    server.gate.opened.notify_all();
    for one in &mut busy {
        let answer = receive(one).expect("an answer");
        assert_eq!(
            (&answer["id"], &answer["exit_code"]),
            (&json!(1), &json!(0))
        );
    }
    let end = Instant::now() + Duration::from_secs(10);
    while !ping(&mut server.connect()) {
        assert!(Instant::now() < end, "no seat");
    }
}

#[test]
fn of_many_that_want_few_seats_each_is_answered_or_told() {
    let server = Server::new(4, Duration::ZERO);
    *server.gate.open.lock().expect("nobody panics with it") = true;
    let (answered, told) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let end = Instant::now() + Duration::from_secs(2);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut stream = server.connect();
                while Instant::now() < end {
                    let before = server.gate.calls.load(Ordering::SeqCst);
                    send(&mut stream, &json!({"id": 1, "op": "call", "tool": "bash"}));
                    let answer = receive(&mut stream).expect("an answer, or why there is none");
                    if answer["id"] == json!(1) {
                        assert!(server.gate.calls.load(Ordering::SeqCst) > before);
                        answered.fetch_add(1, Ordering::SeqCst);
                    } else {
                        assert!(answer["error"].is_string(), "{answer}");
                        told.fetch_add(1, Ordering::SeqCst);
                        stream = server.connect();
                    }
                }
            });
        }
    });
    let (answered, told) = (answered.into_inner(), told.into_inner());
    assert!(answered > 100 && told > 100, "{answered} {told}");
    // Nothing was executed of which its caller was told that it was not.
    assert_eq!(server.gate.calls.load(Ordering::SeqCst), answered);
}

/// Threads of this process that serve a connection.
fn session_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("our threads");
    let names = tasks
        .flatten()
        .map(|task| std::fs::read_to_string(task.path().join("comm")));
    names
        .filter(|name| name.as_ref().is_ok_and(|name| name.trim() == "session"))
        .count()
}

#[test]
fn a_silent_connection_costs_no_thread_and_is_answered_all_the_same() {
    let server = Server::new(1024, Duration::from_secs(60));
    *server.gate.open.lock().expect("nobody panics with it") = true;
    let mut connections: Vec<UnixStream> = (0..400).map(|_| server.connect()).collect();
    for round in 0..2 {
        for connection in &mut connections {
            send(connection, &json!({"id": 1, "op": "ping"}));
            let frame = read_frame(connection).expect("an answer").expect("no end");
            let answer: Value = serde_json::from_slice(&frame.header).expect("JSON");
            assert_eq!(answer["ok"], json!(true), "{round}");
        }
        let end = Instant::now() + Duration::from_secs(30);
        while session_threads() > 80 {
            assert!(Instant::now() < end, "{} threads", session_threads());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
