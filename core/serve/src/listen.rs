//! Getting a listening socket: bind a path (0600, a stale file replaced, a living server respected), or inherit one; and
//! removing the file of a bound one, if it is still ours.

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
    pub fn remove(&self) {
        let found = std::fs::symlink_metadata(&self.path).map(|meta| identity(&meta));
        if found.is_ok_and(|found| found == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(meta: &std::fs::Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// How long a socket that answers, or a folder in which another server is binding, is waited for.
const PATIENCE: Duration = Duration::from_millis(250);

/// Bind `path` with mode 0600. A socket file that nobody listens on is replaced; where somebody does, or where the
/// path is no socket, this is an error and nothing changes. Of two servers that start at once, one gets the path.
///
/// # Errors
/// Where somebody listens there or begins to, the path is no socket, or nothing can be made in its folder.
pub fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let say = |what: &str| {
        io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("{}: {what}", path.display()),
        )
    };
    // Looking at a stale file and replacing it are two steps; the lock (gone with `folder`) keeps other servers out.
    // A folder that cannot be opened is `bind`'s to refuse, with the reason.
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    let folder = File::open(parent.unwrap_or(Path::new(".")));
    let locked = |folder: &File| soon(|| folder.try_lock().is_ok());
    if folder.as_ref().is_ok_and(|folder| !locked(folder)) {
        return Err(say("another server is starting beside it; try again"));
    }
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(say("exists and is not a socket; choose another path"));
        }
        // A server that has just ended may answer a moment longer: a child that it forked has its socket until it execs.
        Ok(_) if soon(|| UnixStream::connect(path).is_err()) => std::fs::remove_file(path)?,
        Ok(_) => {
            return Err(say(
                "another server listens here; stop it or choose another path",
            ))
        }
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

/// Whether `done` becomes true within [`PATIENCE`].
fn soon(mut done: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Take the listening socket `fd` that the parent left open.
///
/// # Errors
/// Where it is not an open, listening socket.
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
    fn a_child_that_has_not_yet_gone_its_own_way_does_not_keep_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let (listener, file) = bind(&path).unwrap();
        let child = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            drop((listener, file));
        });
        bind(&path).unwrap();
        child.join().unwrap();
    }

    #[test]
    fn of_servers_that_find_one_stale_socket_one_gets_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        drop(bind(&path).unwrap());
        let bound: Vec<_> = std::thread::scope(|scope| {
            let servers: Vec<_> = (0..8).map(|_| scope.spawn(|| bind(&path))).collect();
            servers
                .into_iter()
                .map(|server| server.join().unwrap())
                .collect()
        });
        assert_eq!(bound.iter().filter(|bound| bound.is_ok()).count(), 1);
        assert!(UnixStream::connect(&path).is_ok());
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
