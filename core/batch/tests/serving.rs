//! The server against the scheduler and step time that it is made of: times are at least what these say, and order is theirs.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use curserve_batch::{Asked, Server, StepTime};
use curserve_sched::Config;

const MS: u64 = 1_000_000;

/// A step of 2 ms, and 10 µs for each token of a prompt.
const STEP: StepTime = StepTime {
    base_ps: 2_000_000_000,
    prefill_ps: 10_000_000,
    decode_ps: 0,
    kv_ps: 0,
    pair_ps: 0,
};

fn config(blocks: u32) -> Config {
    Config {
        async_scheduling: false,
        ..Config::new(blocks)
    }
}

fn asked(stream: u64, prompt_tokens: u32, tokens: u32) -> (Asked, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let data: Vec<u8> = (0..tokens).map(|token| b'a' + (token % 26) as u8).collect();
    let cuts = (1..=tokens as usize).collect();
    let asked = Asked {
        fd: OwnedFd::from(ours),
        lead: b">".to_vec(),
        data,
        cuts,
        tokens,
        prompt_tokens,
        stream,
        session: false,
    };
    (asked, theirs)
}

fn read(mut stream: UnixStream) -> Vec<u8> {
    let mut found = Vec::new();
    stream.read_to_end(&mut found).unwrap();
    found
}

#[test]
fn a_turn_alone_takes_its_prompt_and_a_step_a_token() {
    let server = Server::new(config(1000), STEP).unwrap();
    let (turn, theirs) = asked(1, 500, 5);
    let served = server.write(turn).unwrap();
    assert!(served.error.is_none());
    assert_eq!(served.computed_tokens, 500);
    assert!(served.last_due_ns - served.first_due_ns >= 4 * 2 * MS); // more, where this thread was held up
    assert_eq!(served.starts.len(), 5);
    assert!(served
        .starts
        .iter()
        .zip(0..)
        .all(|(start, step)| *start >= served.first_due_ns + step * 2 * MS));
    assert_eq!(read(theirs), b">abcde");
}

#[test]
fn the_next_turn_finds_whole_blocks_of_the_last_in_the_cache() {
    let server = Server::new(config(1000), STEP).unwrap();
    for (prompt, cached) in [(100, 0), (200, 96), (50, 0)] {
        let (turn, _theirs) = asked(9, prompt, 4); // the third rewrites its history
        let served = server.write(turn).unwrap();
        assert_eq!(served.cached_tokens, cached, "{prompt}");
        assert_eq!(
            served.cached_tokens + served.computed_tokens,
            u64::from(prompt)
        );
    }
}

#[test]
fn a_session_goes_on_from_all_that_it_has() {
    let server = Server::new(config(1000), STEP).unwrap();
    for (prompt, cached) in [(100, 0), (200, 103)] {
        let (mut turn, _theirs) = asked(9, prompt, 4);
        turn.session = true;
        let served = server.write(turn).unwrap();
        assert_eq!(served.cached_tokens, cached, "{prompt}"); // all but the last token that was sampled
    }
    let (turn, _theirs) = asked(1, 10, 2);
    server.write(turn).unwrap();
    let ticks = server.ticks();
    assert_eq!(ticks.last().unwrap().paused, 1);
    assert_eq!(ticks.last().unwrap().paused_blocks, 13); // 203 tokens
    server.forget(9);
    let (turn, _theirs) = asked(2, 10, 2);
    server.write(turn).unwrap();
    assert_eq!(server.ticks().last().unwrap().paused, 0);
}

#[test]
fn turns_that_decode_share_steps_and_those_that_do_not_fit_wait() {
    let server = Server::new(config(8), STEP).unwrap(); // 128 tokens: one turn of 100 and its reply at a time
    let (one, two) = (asked(1, 90, 20), asked(2, 90, 20));
    let numbers = [server.submit(one.0).unwrap(), server.submit(two.0).unwrap()];
    assert_eq!(read(one.1).len(), 21);
    assert_eq!(read(two.1).len(), 21);
    let mut done = Vec::new();
    while done.len() < 2 {
        done.extend(server.take());
    }
    done.sort_by_key(|(number, _)| *number);
    assert_eq!([done[0].0, done[1].0], numbers);
    let (first, second) = (&done[0].1, &done[1].1);
    assert!(second.first_due_ns >= first.last_due_ns);
    assert!(second.queued_ns >= 19 * 2 * MS);
    assert!(server
        .ticks()
        .iter()
        .all(|tick| tick.running <= 1 && tick.held_blocks <= 8));
}

#[test]
fn decodes_side_by_side_take_no_longer_than_one() {
    let server = Server::new(config(1000), STEP).unwrap();
    let turns: Vec<_> = (0..20).map(|stream| asked(stream, 10, 30)).collect();
    let clients: Vec<_> = turns
        .into_iter()
        .map(|(turn, theirs)| {
            server.submit(turn).unwrap();
            theirs
        })
        .collect();
    assert!(clients.into_iter().all(|theirs| read(theirs).len() == 31));
    let ticks = server.ticks();
    assert!(ticks.len() <= 2 * 30, "{} steps", ticks.len());
    assert!(ticks.iter().any(|tick| tick.decodes == 20));
}

#[test]
fn a_client_that_leaves_frees_its_place() {
    let server = Server::new(config(8), STEP).unwrap();
    let (one, theirs) = asked(1, 90, 30);
    drop(theirs);
    let first = server.write(one).unwrap();
    assert!(first.error.is_some());
    let (two, theirs) = asked(2, 90, 5);
    assert!(server.write(two).unwrap().error.is_none());
    assert_eq!(read(theirs).len(), 6);
}

#[test]
fn what_could_never_run_is_refused() {
    let server = Server::new(config(8), STEP).unwrap();
    for (prompt, tokens, says) in [
        (200, 5, "13 blocks of KV memory; the server has 8"),
        (0, 5, "a prompt"),
        (5, 0, "a reply"),
    ] {
        let (turn, _theirs) = asked(1, prompt, tokens);
        let error = server.submit(turn).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    server.stop();
    assert!(server.submit(asked(1, 5, 5).0).is_err());
}
