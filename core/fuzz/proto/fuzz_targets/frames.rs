//! Any bytes at all on the socket: every frame that is read is written back as it was, requests are read or refused,
//! and an answer to one is a frame whose lengths add up.
#![no_main]

use curserve_proto::{read_frame, write_frame, Answer, Refusal, Request};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    loop {
        let before = rest;
        let Ok(Some(frame)) = read_frame(&mut rest) else {
            break;
        };
        let mut again = Vec::new();
        write_frame(&mut again, &frame.header, &[&frame.payload]).expect("memory takes all");
        assert_eq!(again, before[..before.len() - rest.len()]);
        let Ok(request) = serde_json::from_slice::<Request>(&frame.header) else {
            continue;
        };
        let answer = Answer {
            refused: request.call.text("command").map(|text| Box::new(Refusal::new(text))),
            failed: request.call.cwd.clone(),
            ..Answer::done(1, frame.payload.clone(), request.call.tool.clone())
        };
        let header = answer.header(request.id, 1);
        let mut sent = Vec::new();
        write_frame(&mut sent, &header, &[&answer.stdout, &answer.stderr]).expect("memory");
        let read = read_frame(&mut &sent[..]).expect("a frame").expect("one");
        let told: serde_json::Value = serde_json::from_slice(&read.header).expect("JSON");
        assert_eq!(told["id"], request.id);
        let lengths = told["stdout_len"].as_u64().zip(told["stderr_len"].as_u64());
        assert_eq!(lengths.map(|(a, b)| a + b), Some(read.payload.len() as u64));
    }
});
