//! What a shim was given, as the daemon has to know it.

use serde_json::{json, Map, Value};

use super::real;
use crate::outputs;

/// What a shim for `name` was given; None where that cannot be said. `shell` is what it was called, if it is one.
pub fn caller(name: &str, shell: Option<&str>) -> Option<Value> {
    let has_input = match outputs::kind_of_input()? {
        outputs::Input::Null => false,
        outputs::Input::Flow => true,
        outputs::Input::Other => return None,
    };
    let merged = shell.is_some() && outputs::are_one();
    Some(
        json!({"environment": environment(name)?, "shell": shell, "has_input": has_input, "merged": merged}),
    )
}

/// The environment that the real program would be given; None where it is not UTF-8.
fn environment(name: &str) -> Option<Map<String, Value>> {
    real::environment(name)
        .into_iter()
        .map(|(key, value)| {
            Some((
                key.into_string().ok()?,
                Value::from(value.into_string().ok()?),
            ))
        })
        .collect()
}
