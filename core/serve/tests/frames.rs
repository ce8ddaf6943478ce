//! A peer that does not go on with what it has begun gives its place back.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use curserve_exec::Limits;
use curserve_proto::{read_frame, write_frame};
use curserve_serve::{bind, serve, Daemon, Stop};
use curserve_tools::World;

#[test]
fn half_a_frame_does_not_hold_a_connection_and_silence_between_frames_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("its path");
    let at = root.to_str().expect("UTF-8").to_owned();
    let path = root.join("socket");
    let daemon = Daemon::start(root, at, Limits::default(), World::of_this_machine());
    let daemon = Arc::new(daemon.expect("it starts"));
    let (listener, _file) = bind(&path).expect("a socket");
    let limits = curserve_serve::Limits {
        connections: 4,
        frame_timeout: Duration::from_millis(300),
        ..Default::default()
    };
    let stop = Stop::default();
    let told = stop.clone();
    let server = std::thread::spawn(move || serve(listener, daemon, limits, told));
    let connect = || UnixStream::connect(&path).expect("a connection");
    let ping = |stream: &mut UnixStream| {
        let _ = write_frame(stream, br#"{"id": 1, "op": "ping"}"#, &[]);
        let answer = read_frame(stream).ok().flatten();
        answer.is_some_and(|frame| String::from_utf8_lossy(&frame.header).contains("\"ok\":true"))
    };

    let mut whole = Vec::new();
    write_frame(&mut whole, br#"{"id": 1, "op": "ping"}"#, &[b"payload"]).expect("a frame");
    let began = Instant::now();
    let mut half: Vec<UnixStream> = (0..4).map(|_| connect()).collect();
    for (stream, length) in half.iter_mut().zip([1, 7, 20, whole.len() - 1]) {
        stream.write_all(&whole[..length]).expect("some bytes");
    }
    // One that sends a byte from time to time is as late as one that sends none.
    std::thread::sleep(Duration::from_millis(150));
    half[2].write_all(&whole[20..21]).expect("a byte");
    assert!(!ping(&mut connect()), "there was still room");
    for stream in &mut half {
        let limit = Some(Duration::from_secs(10));
        stream.set_read_timeout(limit).expect("an open socket");
        let mut said = Vec::new();
        stream.read_to_end(&mut said).expect("it is closed");
        assert!(
            String::from_utf8_lossy(&said).contains("in time"),
            "{said:?}"
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );

    let mut patient = connect();
    for pause in [0, 700, 0] {
        std::thread::sleep(Duration::from_millis(pause));
        assert!(ping(&mut patient), "after {pause} ms");
    }
    // A frame that comes in parts, but in time.
    for part in whole.chunks(5) {
        patient.write_all(part).expect("some bytes");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(matches!(read_frame(&mut patient), Ok(Some(_))));
    std::thread::sleep(Duration::from_millis(400));
    assert!(ping(&mut patient));
    stop.stop();
    server.join().expect("it ends").expect("without an error");
}

/// A server of four connections, where a tenth of a second is a long wait.
fn small_server(root: &std::path::Path) -> (std::path::PathBuf, Stop) {
    let at = root.to_str().expect("UTF-8").to_owned();
    let path = root.join("socket");
    let daemon = Daemon::start(
        root.to_owned(),
        at,
        Limits::default(),
        World::of_this_machine(),
    );
    let daemon = Arc::new(daemon.expect("it starts"));
    let (listener, _file) = bind(&path).expect("a socket");
    let limits = curserve_serve::Limits {
        connections: 4,
        idle: Duration::from_millis(100),
        ..Default::default()
    };
    let stop = Stop::default();
    let told = stop.clone();
    std::thread::spawn(move || serve(listener, daemon, limits, told));
    (path, stop)
}

/// Connects until a ping is answered.
fn get_in(path: &std::path::Path) -> UnixStream {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let mut stream = UnixStream::connect(path).expect("a connection");
        let _ = write_frame(&mut stream, br#"{"id": 1, "op": "ping"}"#, &[]);
        if let Ok(Some(frame)) = read_frame(&mut stream) {
            if String::from_utf8_lossy(&frame.header).contains("\"ok\":true") {
                return stream;
            }
        }
        assert!(Instant::now() < end, "nobody makes room");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn whoever_keeps_the_server_waiting_keeps_nobody_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("its path");
    std::fs::write(root.join("long"), "x\n".repeat(8 << 20)).expect("a file");
    let (path, stop) = small_server(&root);
    // Frames that have begun and do not end; one of them gets a byte now and then.
    let mut half: Vec<UnixStream> = (0..4)
        .map(|_| {
            let mut stream = UnixStream::connect(&path).expect("a connection");
            stream.write_all(&[9, 0, 0]).expect("some bytes");
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(60));
    let _ = half[0].write_all(&[0]);
    drop(get_in(&path));
    // Answers that nobody takes.
    drop(half);
    let deaf: Vec<UnixStream> = (0..4)
        .map(|_| {
            let mut stream = get_in(&path);
            let call = br#"{"id": 2, "op": "call", "tool": "read", "arguments": {"path": "long"}}"#;
            write_frame(&mut stream, call, &[]).expect("a frame");
            stream
        })
        .collect();
    let mut newcomer = get_in(&path);
    let call =
        br#"{"id": 3, "op": "call", "tool": "bash", "arguments": {"command": "wc -c long"}}"#;
    write_frame(&mut newcomer, call, &[]).expect("a frame");
    let answer = read_frame(&mut newcomer).expect("a frame").expect("one");
    assert_eq!(String::from_utf8_lossy(&answer.payload), "16777216 long\n");
    drop(deaf);
    stop.stop();
}
