//! Where a daemon's socket is when nobody names one: one folder a user, one socket a root.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// `$XDG_RUNTIME_DIR/curserve`, else `/tmp/curserve-UID`.
pub fn folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(runtime) if !runtime.is_empty() => Path::new(&runtime).join("curserve"),
        _ => PathBuf::from(format!("/tmp/curserve-{}", uid())),
    }
}

/// The socket of the daemon on `root` (a real path).
///
/// Socket paths are short (108 bytes), roots are not: hence a hash, FNV-1a, whose collisions cost a refusal (the
/// daemon tells its root).
pub fn socket(folder: &Path, root: &Path) -> PathBuf {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in root.as_os_str().as_bytes() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    folder.join(format!("{hash:016x}"))
}

/// Make `folder`, private to this user.
///
/// # Errors
/// Where it cannot be made, or is somebody else's.
pub fn prepare(folder: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(io::Error::new(
                error.kind(),
                format!("cannot make {}: {error}", folder.display()),
            ));
        }
        _ => {}
    }
    if is_private(folder) {
        return Ok(());
    }
    let what = format!(
        "{} is not a folder of this user alone; remove it, or name a socket with --socket",
        folder.display()
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
}

/// Whether `folder` is this user's and nobody else can put a socket into it.
pub fn is_private(folder: &Path) -> bool {
    std::fs::symlink_metadata(folder)
        .is_ok_and(|meta| meta.is_dir() && meta.uid() == uid() && meta.mode() & 0o022 == 0)
}

/// This user.
pub fn uid() -> u32 {
    // SAFETY: always succeeds.
    unsafe { libc::geteuid() }
}
