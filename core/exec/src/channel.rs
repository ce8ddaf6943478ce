//! The channels between a persistent shell and its worker: sockets, which cannot be opened through `/proc` as a pipe can,
//! and of which the kernel tells who has written.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

/// Longer answers are none of ours: a status, and a folder that the kernel can name.
const LONGEST: usize = libc::PATH_MAX as usize + 64;

/// Both ends of a channel; no program inherits them.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two descriptors, which are then ours.
    unsafe {
        if libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// The same file under a number of at least `least`.
pub(crate) fn above(fd: &OwnedFd, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: duplicates an open descriptor; the new one is ours.
    unsafe {
        let fd = libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// A number that nobody can guess.
pub(crate) fn random() -> io::Result<u64> {
    let mut number = [0u8; 8];
    // SAFETY: the kernel writes as many bytes.
    let n = unsafe { libc::getrandom(number.as_mut_ptr().cast(), number.len(), 0) };
    match n {
        8 => Ok(u64::from_ne_bytes(number)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Where the shell reads its commands.
pub(crate) struct Control(OwnedFd);

impl Control {
    pub(crate) fn new(end: OwnedFd) -> Self {
        Control(end)
    }

    /// Sends a whole line, or says why it cannot; it waits for nobody.
    pub(crate) fn send(&self, line: &[u8]) -> io::Result<()> {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the socket is open, and the line outlives the call.
        let n = unsafe { libc::send(self.0.as_raw_fd(), line.as_ptr().cast(), line.len(), flags) };
        match usize::try_from(n) {
            Ok(n) if n == line.len() => Ok(()),
            Ok(_) => Err(io::Error::other("its channel is full")),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }
}

/// Where the shell tells the end of a call.
pub(crate) struct Status {
    end: OwnedFd,
    shell: libc::pid_t,
}

/// What a shell tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: i32,
    /// The folder that it is in; None where it does not say the truth, or cannot.
    pub(crate) folder: Option<Box<str>>,
}

impl Status {
    /// Listen to the process `shell`.
    pub(crate) fn new(end: OwnedFd, shell: libc::pid_t) -> io::Result<Self> {
        let yes: libc::c_int = 1;
        // SAFETY: the socket is open, and the kernel reads an integer of that length.
        let rc = unsafe {
            libc::setsockopt(
                end.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PASSCRED,
                (&raw const yes).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        match rc {
            0 => Ok(Status { end, shell }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// What to wait on.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }

    /// Reads what has come; None where it was nothing. What others than the shell have written, or anything but the answer to the
    /// call `number`, is an error: then nobody knows any more which answer belongs to which call.
    pub(crate) fn read(&self, number: u64) -> Result<Option<Told>, String> {
        let mut text = [0u8; LONGEST];
        let (n, sender) = match self.receive(&mut text) {
            Ok((0, _)) => return Ok(None), // everybody has closed it: the shell, too, which is seen elsewhere
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(format!("the shell's status could not be read: {error}")),
        };
        if sender != Some(self.shell) {
            let who = sender.unwrap_or(0);
            return Err(format!(
                "process {who} answered in place of the session's shell"
            ));
        }
        let told = parse(&text[..n], number)
            .ok_or("the session's shell reported no status of this call")?;
        let folder = told.folder.filter(|folder| self.is_there(folder));
        Ok(Some(Told { folder, ..told }))
    }

    /// Whether the shell is in `folder`: a command can give `PWD` any value.
    fn is_there(&self, folder: &str) -> bool {
        let shell = format!("/proc/{}/cwd", self.shell);
        let stat = |path: &Path| rustix::fs::stat(path).map(|stat| (stat.st_dev, stat.st_ino));
        matches!((stat(Path::new(folder)), stat(Path::new(&shell))), (Ok(one), Ok(two)) if one == two)
    }

    /// One message, and the process that wrote it.
    fn receive(&self, into: &mut [u8]) -> io::Result<(usize, Option<libc::pid_t>)> {
        #[repr(align(8))]
        struct Room([u8; 128]);
        let mut room = Room([0; 128]);
        let mut part = libc::iovec {
            iov_base: into.as_mut_ptr().cast(),
            iov_len: into.len(),
        };
        // SAFETY: all-zero is a valid msghdr; every pointer in it outlives the call; the control message that is read lies
        // within what the kernel filled.
        unsafe {
            let mut message: libc::msghdr = std::mem::zeroed();
            message.msg_iov = &raw mut part;
            message.msg_iovlen = 1;
            message.msg_control = room.0.as_mut_ptr().cast();
            message.msg_controllen = room.0.len();
            let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
            let n = libc::recvmsg(self.end.as_raw_fd(), &raw mut message, flags);
            let Ok(n) = usize::try_from(n) else {
                return Err(io::Error::last_os_error());
            };
            let mut sender = None;
            let mut header = libc::CMSG_FIRSTHDR(&raw const message);
            while !header.is_null() {
                let is = ((*header).cmsg_level, (*header).cmsg_type);
                if is == (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) {
                    let found: libc::ucred =
                        std::ptr::read_unaligned(libc::CMSG_DATA(header).cast());
                    sender = Some(found.pid);
                } else if is == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                    return Err(io::Error::other("somebody sent descriptors"));
                }
                header = libc::CMSG_NXTHDR(&raw const message, header);
            }
            Ok((n, sender))
        }
    }
}

/// `NUMBER STATUS FOLDER\n`, and nothing else.
fn parse(text: &[u8], number: u64) -> Option<Told> {
    let text = text.strip_suffix(b"\n")?;
    let text = text.strip_prefix(format!("{number:016x} ").as_bytes())?;
    let space = memchr::memchr(b' ', text)?;
    let status = std::str::from_utf8(&text[..space]).ok()?;
    let is_plain = matches!(status.len(), 1..=3) && status.bytes().all(|b| b.is_ascii_digit());
    let status = status.parse().ok().filter(|n| is_plain && *n <= 255)?;
    let folder = std::str::from_utf8(&text[space + 1..]).ok();
    Some(Told {
        status,
        folder: folder.filter(|f| f.starts_with('/')).map(Into::into),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_status_is_read_from_the_shell_alone() {
        let (ours, theirs) = pair().unwrap();
        let me = std::process::id() as libc::pid_t;
        let status = Status::new(ours, me).unwrap();
        let write = |text: &str| rustix::io::write(&theirs, text.as_bytes()).unwrap();
        assert_eq!(status.read(7), Ok(None));
        let here = std::env::current_dir().unwrap();
        write(&format!("{:016x} 3 {}\n", 7, here.display()));
        let told = status.read(7).unwrap().unwrap();
        assert_eq!((told.status, told.folder.as_deref()), (3, here.to_str()));
        write(&format!("{:016x} 0 /usr\n", 8));
        let told = status.read(8).unwrap().unwrap();
        assert_eq!(told.folder, None, "it is not there");
        write(&format!("{:016x} 0 /\n", 9));
        assert!(status.read(10).is_err(), "of another call");
        // SAFETY: the child writes to an open socket and exits.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                let text = format!("{:016x} 0 /\n", 11);
                libc::write(theirs.as_raw_fd(), text.as_ptr().cast(), text.len());
                libc::_exit(0);
            }
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
        let said = status.read(11).unwrap_err();
        assert!(said.contains("in place of the session's shell"), "{said}");
    }

    proptest! {
        #[test]
        fn what_was_told_is_understood(number: u64, status in 0..256i32, folder in "/[^\n]{0,60}") {
            let text = format!("{number:016x} {status} {folder}\n");
            let told = parse(text.as_bytes(), number).unwrap();
            prop_assert_eq!(told.status, status);
            prop_assert_eq!(told.folder.as_deref(), Some(&*folder));
            prop_assert_eq!(parse(text.as_bytes(), number.wrapping_add(1)), None);
        }

        #[test]
        fn anything_else_is_no_status(text in proptest::collection::vec(any::<u8>(), 0..80), number: u64) {
            prop_assert_eq!(parse(&text, number), None);
        }

        #[test]
        fn a_status_that_was_changed_is_none_or_bears_its_number(at in 0..24usize, byte: u8, cut in 0..24usize) {
            let text = format!("{:016x} 17 /testbed\n", 0xfeed_u64).into_bytes();
            let mut changed = text.clone();
            changed[at] = byte;
            if let Some(told) = parse(&changed, 0xfeed) {
                prop_assert_eq!(&changed[..17], &text[..17]);
                prop_assert!(told.status <= 255);
            }
            prop_assert_eq!(parse(&text[..cut], 0xfeed), None);
            prop_assert_eq!(parse(&[&text[..], &text[..]].concat(), 0xfeed).filter(|t| t.folder.as_deref() == Some("/testbed")), None);
        }
    }
}
