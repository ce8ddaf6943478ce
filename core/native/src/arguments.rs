//! Canonical arguments (docs/FORMAT.md), read once at the edge.

use curserve_proto::{Answer, Call};
use serde_json::Value;

/// What a call is answered whose argument is missing or of the wrong type.
pub type Wrong = Answer;

/// The required string `name`.
///
/// # Errors
/// What to answer where it is missing, or no string.
pub fn text<'a>(call: &'a Call, name: &str) -> Result<&'a str, Wrong> {
    optional_text(call, name)?.ok_or_else(|| wrong(call, name, "is missing"))
}

/// The string `name`, if it is there.
///
/// # Errors
/// What to answer where it is something else.
pub fn optional_text<'a>(call: &'a Call, name: &str) -> Result<Option<&'a str>, Wrong> {
    match call.arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(call, name, "is not a string")),
    }
}

/// The boolean `name`, or `default`.
///
/// # Errors
/// What to answer where it is something else.
pub fn flag(call: &Call, name: &str, default: bool) -> Result<bool, Wrong> {
    match call.arguments.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(wrong(call, name, "is not a boolean")),
    }
}

/// The number `name` (not negative), if it is there.
///
/// # Errors
/// What to answer where it is something else.
pub fn number(call: &Call, name: &str) -> Result<Option<u64>, Wrong> {
    match call.arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_u64()
            .map(Some)
            .ok_or_else(|| wrong(call, name, "is not a number from 0")),
    }
}

/// The string or list of strings `name`.
///
/// # Errors
/// What to answer where it is something else.
pub fn texts<'a>(call: &'a Call, name: &str) -> Result<Vec<&'a str>, Wrong> {
    match call.arguments.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(list)) => list
            .iter()
            .map(|item| {
                item.as_str()
                    .ok_or_else(|| wrong(call, name, "holds something that is not a string"))
            })
            .collect(),
        Some(_) => Err(wrong(
            call,
            name,
            "is neither a string nor a list of strings",
        )),
    }
}

fn wrong(call: &Call, name: &str, what: &str) -> Wrong {
    Answer::misused(format_args!("{}: argument {name:?} {what}", call.tool))
}
