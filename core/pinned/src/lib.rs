//! The environment of every command, whoever answers it: the real programs (`exec`) are given it, and the tools that
//! answer in their place (`tools`) read it. A crate of its own, so that neither of the two depends on the other.
//!
//! It is the one of `curserve_engines.protocol.pinned_environment`; a test compares the two.

/// The whole environment of a command.
pub const ENVIRONMENT: [(&str, &str); 11] = [
    ("PATH", "/opt/curserve/bin:/usr/local/bin:/usr/bin:/bin"),
    ("LC_ALL", "C.UTF-8"),
    ("LANG", "C.UTF-8"),
    ("TZ", "UTC"),
    ("HOME", "/tmp"),
    ("USER", "curserve"),
    ("TERM", "dumb"),
    ("PAGER", "cat"),
    ("GIT_PAGER", "cat"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
];

/// The same, owned: a session may have to adapt it to where it runs.
pub fn environment() -> Vec<(String, String)> {
    ENVIRONMENT
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}
