//! Where no namespace can be had: Landlock keeps this process and all it starts inside the workspace.
//!
//! Weaker than the sandbox and labelled so: the machine's processes and files under `/usr` and `/etc` are visible, paths
//! are rewritten. What matters holds: nothing outside the workspace and a private temporary folder can be written, the
//! user's files cannot be read, nobody outside can be signalled or connected to. A kernel that cannot promise all of
//! it (before 6.12) is an error.

use std::io;
use std::path::Path;

use landlock::{
    path_beneath_rules, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope, ABI,
};

const READABLE: [&str; 9] = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/proc", "/dev",
];
const DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty"];

/// Confine this thread and those it will start. `writable` is all that may be changed, `programs` may be executed.
///
/// # Errors
/// Where the kernel's Landlock cannot hold all of this.
pub fn restrict(writable: &[&Path], programs: &[&Path]) -> io::Result<()> {
    let abi = ABI::V6;
    let devices = AccessFs::WriteFile | AccessFs::ReadFile | AccessFs::Truncate;
    let restricted = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(abi)))
        .and_then(|rules| rules.scope(Scope::from_all(abi)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(path_beneath_rules(READABLE, AccessFs::from_read(abi))))
        .and_then(|rules| rules.add_rules(path_beneath_rules(programs, AccessFs::from_read(abi))))
        .and_then(|rules| rules.add_rules(path_beneath_rules(DEVICES, devices)))
        .and_then(|rules| rules.add_rules(path_beneath_rules(writable, AccessFs::from_all(abi))))
        .and_then(landlock::RulesetCreated::restrict_self);
    restricted.map(|_| ()).map_err(|error| {
        io::Error::new(
            io::ErrorKind::Unsupported,
            format!("no sandbox: bubblewrap cannot run here, and Landlock neither ({error}); allow user namespaces, or use Linux 6.12"),
        )
    })
}
