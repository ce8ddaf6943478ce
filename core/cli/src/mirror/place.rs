//! Where mirrors keep what outlasts them: logs, identities, copies; a folder a user, one within it a workspace.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{flock, FlockOperation};

use crate::Failure;

/// `$XDG_STATE_HOME/curserve/mirror`, else `~/.local/state/curserve/mirror`.
pub fn base() -> Result<PathBuf, Failure> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = set("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/state")));
    let state = state.ok_or_else(|| {
        Failure::Setup("mirror: neither XDG_STATE_HOME nor HOME is set; set one of them".to_owned())
    })?;
    Ok(state.join("curserve/mirror"))
}

/// The folder of what the client keeps of the workspace `root`.
pub fn of_workspace(base: &Path, root: &Path) -> PathBuf {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in root.as_os_str().as_bytes() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    base.join("workspaces").join(format!("{hash:016x}"))
}

/// The folder of what the server keeps of the copy `name`.
pub fn of_copy(base: &Path, name: &str) -> PathBuf {
    base.join("copies").join(name)
}

/// Makes `folder`, for this user alone.
pub fn prepare(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| {
        Failure::Setup(format!("mirror: cannot make {}: {error}", folder.display()))
    })
}

/// A lock that is held as long as this lives.
pub struct Lock(#[allow(dead_code)] File);

impl Lock {
    /// Takes the lock `path`; None where another process has it.
    pub fn take(path: &Path) -> io::Result<Option<Lock>> {
        let mut options = File::options();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// What names this workspace to servers: drawn when it is first mirrored.
pub fn identity(folder: &Path) -> io::Result<String> {
    let file = folder.join("name");
    match std::fs::read_to_string(&file) {
        Ok(name) if is_name(&name) => return Ok(name),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut bytes = [0; 16];
    io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut bytes)?;
    let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(&file, &name)?;
    Ok(name)
}

/// Whether `name` may name a copy.
pub fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.len() <= 64 && name.bytes().all(is_plain)
}
