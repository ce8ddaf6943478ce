//! Calls and answers of docs/PROTOCOL.md, as the mirror's messages carry them.

use std::sync::Arc;

use curserve_mirror::{Message, Stand, MAX_BODY};
use curserve_proto::{Answer, Call};
use serde_json::{json, Value};

/// The tool that does nothing but come back behind the records of all that the workspace shows.
pub(crate) const BARRIER: &str = "barrier";
/// The longest call or answer, over all its parts.
pub(crate) const MAX_WHOLE: usize = 1 << 30;

/// A call, as bytes.
pub(crate) fn of_call(call: &Call) -> Vec<u8> {
    let value = json!({
        "tool": call.tool, "arguments": call.arguments, "cwd": call.cwd, "timeout_ms": call.timeout_ms,
    });
    value.to_string().into_bytes()
}

/// The call that `bytes` are.
pub(crate) fn to_call(bytes: &[u8]) -> Result<Call, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("a call that cannot be read: {error}"))
}

/// An answer, as bytes: its header as in a frame, its length before it, and its payload.
pub(crate) fn of_answer(answer: &Answer, service_ns: u64) -> Vec<u8> {
    let header = answer.header(0, service_ns);
    let length = (header.len() as u32).to_le_bytes();
    [&length[..], &header, &answer.stdout, &answer.stderr].concat()
}

/// The answer that `bytes` are. A refusal is none: nobody stands behind the client.
pub(crate) fn to_answer(bytes: &[u8]) -> Result<Answer, String> {
    let wrong = || "a result that cannot be read".to_owned();
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(wrong)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (header, payload) = rest.split_at_checked(length).ok_or_else(wrong)?;
    let header: Value = serde_json::from_slice(header).map_err(|_| wrong())?;
    let number = |name: &str| header.get(name).and_then(Value::as_u64).ok_or_else(wrong);
    let text = |name: &str| header.get(name).and_then(Value::as_str).map(str::to_owned);
    let (out, err) = (
        number("stdout_len")? as usize,
        number("stderr_len")? as usize,
    );
    if out.checked_add(err) != Some(payload.len()) {
        return Err(wrong());
    }
    let failed = text("failed").or_else(|| text("refused"));
    let exit_code = header
        .get("exit_code")
        .and_then(Value::as_i64)
        .map(|code| code as i32);
    Ok(Answer {
        exit_code: exit_code.filter(|_| failed.is_none()),
        stdout: payload[..out].to_vec(),
        stderr: payload[out..].to_vec(),
        refused: None,
        failed,
        cwd: text("cwd").map(Into::into),
        mirror: None,
    })
}

/// A call or a result as messages: parts, and what ends them.
pub(crate) fn messages(id: u64, bytes: &[u8], stand: Stand, is_call: bool) -> Vec<Message> {
    let mut parts: Vec<Arc<[u8]>> = bytes.chunks(MAX_BODY).map(Arc::from).collect();
    let body = parts.pop().unwrap_or_default();
    let mut all: Vec<Message> = parts
        .into_iter()
        .map(|bytes| Message::Part { id, bytes })
        .collect();
    all.push(match is_call {
        true => Message::Call {
            id,
            needs: stand,
            body,
        },
        false => Message::Result {
            id,
            seen: stand,
            body: Some(body),
        },
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_back_as_it_was() {
        let mut answer = Answer::done(3, "out", "err");
        answer.cwd = Some("/x".into());
        assert_eq!(to_answer(&of_answer(&answer, 5)).unwrap(), answer);
        let failed = Answer::failed("timed out after 1 s");
        assert_eq!(to_answer(&of_answer(&failed, 5)).unwrap(), failed);
        let bytes = of_answer(&answer, 5);
        for end in 0..bytes.len() {
            assert!(to_answer(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn what_is_long_comes_in_parts() {
        let bytes = vec![7; MAX_BODY * 2 + 5];
        let all = messages(9, &bytes, Stand::default(), false);
        let mut whole = Vec::new();
        for message in &all {
            match message {
                Message::Part { id: 9, bytes }
                | Message::Result {
                    id: 9,
                    body: Some(bytes),
                    ..
                } => whole.extend_from_slice(bytes),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((whole, all.len()), (bytes, 3));
    }
}
