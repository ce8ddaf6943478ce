//! Streams over real sockets: all bytes arrive, in time order, and a client that is gone ends the stream.

use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use curserve_pacer::{now_ns, write, Pacer, Stream};

fn tokens(
    fd: impl Into<OwnedFd>,
    count: usize,
    size: usize,
    first_ns: u64,
    step_ns: u64,
) -> Stream {
    let data: Vec<u8> = (0..count * size).map(|i| (i % 251) as u8).collect();
    let cuts = (1..=count).map(|i| i * size).collect();
    Stream {
        fd: fd.into(),
        lead: Vec::new(),
        data,
        cuts,
        first_ns,
        step_ns,
    }
}

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, client)
}

#[test]
fn no_token_is_early_and_the_order_holds() {
    let (ours, mut theirs) = tcp();
    let first = now_ns() + 3_000_000;
    let stream = tokens(ours, 200, 100, first, 350_000);
    let expected = stream.data.clone();
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).unwrap();
        all
    });
    let written = write(&stream, &AtomicBool::new(false));
    drop(stream);
    assert!(written.error.is_none());
    assert_eq!(written.starts.len(), 200);
    for (token, (start, end)) in written.starts.iter().zip(&written.ends).enumerate() {
        assert!(
            *start >= first + 350_000 * token as u64,
            "token {token} was early"
        );
        assert!(end >= start);
    }
    assert_eq!(reader.join().unwrap(), expected);
}

#[test]
fn a_slow_reader_gets_every_byte() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let stream = tokens(ours, 4000, 500, 0, 0);
    let expected = stream.data.clone();
    let reader = thread::spawn(move || {
        let (mut all, mut piece) = (Vec::new(), [0; 64 * 1024]);
        loop {
            match theirs.read(&mut piece).unwrap() {
                0 => return all,
                n => all.extend_from_slice(&piece[..n]),
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
    let written = write(&stream, &AtomicBool::new(false));
    assert_eq!(
        (written.bytes, written.starts.len()),
        (expected.len(), 4000)
    );
    drop(stream);
    assert_eq!(reader.join().unwrap(), expected);
}

#[test]
fn the_lead_is_written_before_the_first_token_is_due() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let first = now_ns() + 200_000_000;
    let mut stream = tokens(ours, 1, 5, first, 0);
    stream.lead = b"lead".to_vec();
    let reader = thread::spawn(move || {
        let mut lead = [0; 4];
        theirs.read_exact(&mut lead).unwrap();
        let at = now_ns();
        theirs.read_exact(&mut [0; 5]).unwrap();
        (lead, at, now_ns())
    });
    assert_eq!(write(&stream, &AtomicBool::new(false)).bytes, 9);
    let (lead, lead_at, token_at) = reader.join().unwrap();
    assert_eq!(&lead, b"lead");
    assert!(lead_at < first && token_at >= first);
}

#[test]
fn a_client_that_is_gone_ends_the_stream_even_in_a_long_wait() {
    let (ours, mut theirs) = tcp();
    let pacer = Pacer::new().unwrap();
    let hour = now_ns() + 3_600_000_000_000;
    pacer
        .submit(tokens(ours.try_clone().unwrap(), 1, 10, hour, 0))
        .unwrap();
    pacer
        .submit(tokens(ours, 1_000_000, 10, 0, 100_000))
        .unwrap();
    theirs.read_exact(&mut [0; 100]).unwrap();
    drop(theirs);
    let mut done = Vec::new();
    while done.len() < 2 {
        done.extend(pacer.take());
        thread::sleep(Duration::from_millis(5));
    }
    assert!(done.iter().all(|(_, written)| written.error.is_some()));
    assert!(done
        .iter()
        .all(|(_, written)| written.starts.len() < 1_000_000));
}

#[test]
fn a_stopped_pacer_ends_what_it_writes() {
    let (ours, _theirs) = tcp();
    let pacer = Pacer::new().unwrap();
    let id = pacer
        .submit(tokens(ours, 1, 10, now_ns() + 3_600_000_000_000, 0))
        .unwrap();
    thread::sleep(Duration::from_millis(20));
    pacer.stop();
    let mut done = pacer.take();
    while done.is_empty() {
        thread::sleep(Duration::from_millis(5));
        done = pacer.take();
    }
    assert_eq!(done[0].0, id);
    assert!(done[0]
        .1
        .error
        .as_ref()
        .unwrap()
        .to_string()
        .contains("stopped"));
}

#[test]
fn many_streams_run_at_once_and_wake_the_descriptor() {
    let pacer = Pacer::new().unwrap();
    let mut readers = Vec::new();
    let first = now_ns() + 20_000_000;
    for _ in 0..20 {
        let (ours, mut theirs) = tcp();
        pacer
            .submit(tokens(ours, 50, 20, first, 1_000_000))
            .unwrap();
        readers.push(thread::spawn(move || {
            theirs.read_exact(&mut [0; 1000]).unwrap()
        }));
    }
    let mut done = 0;
    while done < 20 {
        let mut entry = libc::pollfd {
            fd: pacer.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid entry.
        let ready = unsafe { libc::poll(&mut entry, 1, 10_000) };
        assert_eq!(ready, 1, "the descriptor told nothing");
        for (_, written) in pacer.take() {
            assert!(written.error.is_none());
            // 50 tokens at 1 ms: had the streams run one after another, the last would end after a second.
            assert!(written.starts[49] >= first + 49_000_000);
            done += 1;
        }
    }
    for reader in readers {
        reader.join().unwrap();
    }
}

#[test]
fn cuts_that_do_not_fit_the_data_are_refused() {
    for cuts in [vec![1, 2], vec![2, 1, 4], vec![], vec![5]] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"x").unwrap();
        let stream = Stream {
            fd: ours.into(),
            lead: vec![],
            data: b"four".to_vec(),
            cuts,
            first_ns: 0,
            step_ns: 0,
        };
        assert!(Pacer::new().unwrap().submit(stream).is_err());
    }
}
