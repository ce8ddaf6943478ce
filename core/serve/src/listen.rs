//! Getting a listening socket: bind a path (0600, a stale file replaced, a living server respected), or inherit one; and
//! removing the file of a bound one, if it is still ours.

use std::io;
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The file of a socket that was bound.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
    /// As long as the socket is open, its inode number is not given to another file.
    _socket: UnixListener,
}

impl SocketFile {
    /// Removes the file, unless a successor has put its own in its place.
    pub fn remove(self) {
        let found = std::fs::symlink_metadata(&self.path).map(|meta| identity(&meta));
        if found.is_ok_and(|found| found == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(meta: &std::fs::Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Bind `path` with mode 0600. A socket file that nobody listens on is replaced; where somebody does, or where the
/// path is no socket, this is an error and nothing changes.
pub fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let say = |what: &str| {
        io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("{}: {what}", path.display()),
        )
    };
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(say("exists and is not a socket; choose another path"));
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => {
                return Err(say(
                    "another server listens here; stop it or choose another path",
                ))
            }
            Err(_) => std::fs::remove_file(path)?,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Bound under a name of its own, restricted, and only then moved to where clients look: nobody can connect
    // while the mode is still the umask's.
    let hidden = path.with_extension(format!("{}.new", std::process::id()));
    let listener = UnixListener::bind(&hidden).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot bind {}: {error}", path.display()),
        )
    })?;
    std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o600))?;
    let file = SocketFile {
        path: path.to_owned(),
        identity: identity(&std::fs::symlink_metadata(&hidden)?),
        _socket: listener.try_clone()?,
    };
    std::fs::rename(&hidden, path)?;
    Ok((listener, file))
}

/// Take the listening socket `fd` that the parent left open.
pub fn inherit(fd: RawFd) -> io::Result<UnixListener> {
    let mut listening: libc::c_int = 0;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes into `listening`.
    let rc = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ACCEPTCONN,
            (&raw mut listening).cast(),
            &raw mut size,
        )
    };
    if rc != 0 || listening == 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("fd {fd} is not a listening socket"),
        ));
    }
    // SAFETY: it is open (the kernel has just answered for it); that it is ours alone is what passing it means.
    let listener = unsafe { UnixListener::from_raw_fd(fd) };
    // SAFETY: sets a flag on an open descriptor; commands must not inherit it.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_stale_socket_is_replaced_and_a_living_one_respected() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        drop(bind(&path).unwrap());
        assert!(path.exists(), "dropping a listener leaves its file");
        let second = bind(&path).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(second);
        assert!(path.exists());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "precious").unwrap();
        assert!(bind(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_server_that_ends_removes_its_own_file_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        for _ in 0..20 {
            let (listener, first) = bind(&path).unwrap();
            // SAFETY: an open socket; as the server does when it is told to end.
            unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RDWR) };
            drop(listener);
            let (_listener, second) = bind(&path).unwrap();
            first.remove();
            assert!(UnixStream::connect(&path).is_ok(), "the successor's file");
            second.remove();
            assert!(!path.exists());
        }
    }

    #[test]
    fn only_a_listening_socket_is_inherited() {
        assert!(inherit(0).is_err());
        assert!(inherit(9999).is_err());
    }
}
