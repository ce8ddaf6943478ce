//! What the server must know of the client's machine to answer in its place.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the server must know of the client's machine.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Where commands see the workspace.
    pub at: String,
    /// The programs there whose version is not known, and why.
    pub unknown: BTreeMap<String, String>,
    /// Whether ignore rules lie, or may lie, in a folder above the workspace.
    pub rules_above: bool,
    /// Whether one shell lasts from call to call: then all lines run there.
    #[serde(default)]
    pub lasting: bool,
}
