//! Many calls in flight on one connection: none waits for another, up to the limit, and nobody is left behind.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use curserve_proto::{read_frame, write_frame, Answer, Call, Handler, Identity};
use curserve_serve::{bind, serve, Limits, Stop};
use proptest::prelude::*;
use serde_json::{json, Value};

/// Answers `wait` once the gate is open, and anything else at once.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
}

impl Gate {
    fn set(&self, open: bool) {
        *self.open.lock().expect("nobody panics with it") = open;
        self.opened.notify_all();
    }
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

    fn call(&self, call: &Call) -> Answer {
        if call.tool == "wait" {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let open = self.open.lock().expect("nobody panics with it");
            drop(self.opened.wait_while(open, |open| !*open));
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        Answer::done(0, "done", "")
    }

    fn is_quick(&self, call: &Call) -> bool {
        call.tool == "quick"
    }
}

/// Serves `test` with at most four calls in flight on a connection.
fn with_server(test: impl FnOnce(&Gate, &dyn Fn() -> UnixStream)) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let (listener, _file) = bind(&path).expect("a socket");
    let (gate, stop) = (Arc::new(Gate::default()), Stop::default());
    let limits = Limits {
        in_flight: 4,
        ..Limits::default()
    };
    let (handler, told) = (Arc::clone(&gate), stop.clone());
    let server = std::thread::spawn(move || serve(listener, handler, limits, told));
    test(&gate, &|| {
        let stream = UnixStream::connect(&path).expect("a connection");
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).expect("an open socket");
        stream
    });
    gate.set(true);
    stop.stop();
    server.join().expect("it ends").expect("without an error");
}

fn ask(stream: &mut impl Write, id: u64, tool: &str) {
    let header = json!({"id": id, "op": "call", "tool": tool, "arguments": {}});
    write_frame(stream, header.to_string().as_bytes(), &[]).expect("it is taken");
}

fn answered(stream: &mut UnixStream) -> u64 {
    let frame = read_frame(stream).expect("in time").expect("an answer");
    let header: Value = serde_json::from_slice(&frame.header).expect("JSON");
    header["id"].as_u64().expect("an id")
}

fn until(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_call_that_comes_later_overtakes_one_that_waits() {
    with_server(|gate, connect| {
        let mut stream = connect();
        for round in 0..50 {
            gate.set(false);
            ask(&mut stream, round, "wait");
            until("it is being answered", || {
                gate.waiting.load(Ordering::SeqCst) == 1
            });
            for tool in ["quick", "other", "quick"] {
                ask(&mut stream, 1000, tool);
                assert_eq!(1000, answered(&mut stream), "round {round}, {tool}");
            }
            gate.set(true);
            assert_eq!(round, answered(&mut stream));
        }
    });
}

#[test]
fn calls_that_come_in_one_piece_do_not_wait_for_each_other() {
    with_server(|gate, connect| {
        let mut stream = connect();
        let mut piece = Vec::new();
        for (id, tool) in (0..).zip(["wait", "other", "wait", "quick", "wait", "other"]) {
            ask(&mut piece, id, tool);
        }
        stream.write_all(&piece).expect("it is taken");
        let mut ids: Vec<u64> = (0..3).map(|_| answered(&mut stream)).collect();
        ids.sort_unstable();
        assert_eq!(vec![1, 3, 5], ids);
        gate.set(true);
        let mut ids: Vec<u64> = (0..3).map(|_| answered(&mut stream)).collect();
        ids.sort_unstable();
        assert_eq!(vec![0, 2, 4], ids);
    });
}

#[test]
fn above_the_limit_a_frame_waits_for_an_answer_and_no_longer() {
    with_server(|gate, connect| {
        let mut stream = connect();
        for id in 0..4 {
            ask(&mut stream, id, "wait");
        }
        until("four at a time", || {
            gate.waiting.load(Ordering::SeqCst) == 4
        });
        for id in 4..40 {
            ask(&mut stream, id, ["wait", "quick", "other"][id as usize % 3]);
        }
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(4, gate.waiting.load(Ordering::SeqCst));
        gate.set(true);
        let mut ids: Vec<u64> = (0..40).map(|_| answered(&mut stream)).collect();
        ids.sort_unstable();
        assert_eq!((0..40).collect::<Vec<u64>>(), ids);
    });
}

#[test]
fn who_hangs_up_leaves_no_thread_behind() {
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("its threads");
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
        let names = tasks.filter_map(|task| name(task.ok()?).ok());
        names.filter(|name| name.trim() == "session").count()
    };
    with_server(|gate, connect| {
        let streams: Vec<UnixStream> = (0..8)
            .map(|_| {
                let mut stream = connect();
                (0..4).for_each(|id| ask(&mut stream, id, "wait"));
                stream
            })
            .collect();
        until("all are being answered", || {
            gate.waiting.load(Ordering::SeqCst) == 32
        });
        assert!(threads() >= 32);
        drop(streams);
        gate.set(true);
        until("all are gone", || gate.waiting.load(Ordering::SeqCst) == 0);
    });
    until("its threads end", || threads() == 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever comes in whatever pieces, each call has one answer.
    #[test]
    fn each_call_is_answered_once(
        tools in prop::collection::vec(prop::sample::select(vec!["quick", "other", "wait"]), 1..60),
        cuts in prop::collection::vec(1usize..200, 1..40),
    ) {
        with_server(|gate, connect| {
            gate.set(true);
            let mut stream = connect();
            let mut all = Vec::new();
            (0..).zip(&tools).for_each(|(id, tool)| ask(&mut all, id, tool));
            let mut rest = &all[..];
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                stream.write_all(piece).expect("it is taken");
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let mut ids: Vec<u64> = tools.iter().map(|_| answered(&mut stream)).collect();
            ids.sort_unstable();
            assert_eq!((0..tools.len() as u64).collect::<Vec<u64>>(), ids);
        });
    }
}
