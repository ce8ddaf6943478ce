//! Makes a process as fast as the kernel can: `clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD)`, then `execve`.
//!
//! This is what `posix_spawn` does inside; written out because a call also needs its own session, limits, a tag
//! that all its descendants inherit, and a pidfd, none of which `posix_spawn` gives together.

use std::cell::RefCell;
use std::ffi::{c_void, CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

const STACK: usize = 64 << 10;

/// A program with everything `execve` needs, made before the clone because nothing may be allocated after it.
pub struct Program {
    path: CString,
    argv: Vec<CString>,
    environment: Vec<CString>,
    cwd: CString,
}

impl Program {
    /// Prepare `path` with `argv` (its name first) in `cwd`; an embedded NUL is an error.
    ///
    /// # Errors
    /// Where a NUL is in one of the words.
    pub fn new(
        path: &str,
        argv: &[&[u8]],
        environment: &[(String, String)],
        cwd: &[u8],
    ) -> io::Result<Self> {
        let nul = |_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "a NUL byte cannot be passed to a program",
            )
        };
        Ok(Program {
            path: CString::new(path).map_err(nul)?,
            argv: argv
                .iter()
                .map(|a| CString::new(*a).map_err(nul))
                .collect::<io::Result<_>>()?,
            environment: environment
                .iter()
                .map(|(k, v)| CString::new(format!("{k}={v}")).map_err(nul))
                .collect::<io::Result<_>>()?,
            cwd: CString::new(cwd).map_err(nul)?,
        })
    }
}

/// What the child gets besides its program.
pub struct Start<'a> {
    /// Standard input, output and error.
    pub stdio: [BorrowedFd<'a>; 3],
    /// A further descriptor and the number it has in the child (the persistent shell's channels).
    pub extra: &'a [(BorrowedFd<'a>, RawFd)],
    /// Address space in bytes.
    pub memory: u64,
    /// Tasks that the user may have, see [`Guard::tasks`](crate::guard::Guard::tasks).
    pub tasks: u64,
    /// See [`Tag`].
    pub tag: Tag,
}

/// The first two arguments of the `prlimit64` that puts a tag on: its own process, and RLIMIT_MSGQUEUE, in their lower
/// halves, as the kernel reads them. The upper halves are a key that only this process knows: the filter
/// ([`confine`](crate::confine)) refuses that limit to everybody who does not have it.
pub(crate) fn key() -> [u64; 2] {
    static KEY: std::sync::OnceLock<[u64; 2]> = std::sync::OnceLock::new();
    *KEY.get_or_init(|| {
        let mut random = [0u32; 2];
        // SAFETY: the kernel writes as many bytes. Where it does not, a key of zeros is one that any command has.
        unsafe { libc::getrandom(random.as_mut_ptr().cast(), size_of_val(&random), 0) };
        let [pid, resource] = random.map(|half| u64::from(half) << 32);
        [pid, resource | u64::from(libc::RLIMIT_MSGQUEUE)]
    })
}

/// A number that a call's processes carry and hand on to every descendant, however often they fork, `setsid` or are
/// orphaned: the hard limit of a resource that nothing uses (POSIX message queues). It can only be lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(u64);

impl Tag {
    /// The tag of the call with sequence number `n`.
    ///
    /// # Errors
    /// Where a NUL is in one of the words.
    pub fn new(n: u64) -> Self {
        // Below the kernel's default of 819,200, so that lowering to it needs no privilege; unique for 800,000 calls.
        Tag(819_199 - n % 800_000)
    }

    /// Put it on the calling process: only system calls.
    ///
    /// # Safety
    /// Only in a child, which keeps it for good.
    unsafe fn put_on(self) -> bool {
        let limit = libc::rlimit {
            rlim_cur: self.0,
            rlim_max: self.0,
        };
        let [pid, resource] = key();
        let none = std::ptr::null_mut::<libc::rlimit>();
        // SAFETY: sets a limit of the calling process; the kernel looks at the lower halves of the first two arguments.
        unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, &raw const limit, none) == 0 }
    }

    /// Whether process `pid` descends from this tag's call.
    pub fn is_on(self, pid: libc::pid_t) -> bool {
        Tag::of(pid) == Some(self)
    }

    /// Whether it is that of one of the calls from number `first` up to the one before `end`.
    pub(crate) fn is_within(self, first: u64, end: u64) -> bool {
        let is_one = (19_200..=819_199).contains(&self.0);
        is_one && (Tag::new(first).0 + 800_000 - self.0) % 800_000 < end - first
    }

    /// The tag of process `pid`, or a limit that is none.
    pub(crate) fn of(pid: libc::pid_t) -> Option<Self> {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: the kernel writes one rlimit into `limit`.
        let rc =
            unsafe { libc::prlimit(pid, libc::RLIMIT_MSGQUEUE, std::ptr::null(), &raw mut limit) };
        (rc == 0).then_some(Tag(limit.rlim_max))
    }
}

/// A started process.
pub struct Child {
    /// Its number.
    pub pid: libc::pid_t,
    /// Readable when it has ended.
    pub pidfd: OwnedFd,
}

impl Child {
    /// Wait for the end; the exit code as a shell reports it.
    ///
    /// # Errors
    /// The system's: it was waited for already.
    pub fn wait(&self) -> io::Result<i32> {
        // SAFETY: all-zero is a valid siginfo_t; the kernel fills it.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        loop {
            // SAFETY: waits for our own child by its pidfd and writes into `info`.
            let rc = unsafe {
                libc::waitid(
                    libc::P_PIDFD,
                    self.pidfd.as_raw_fd() as libc::id_t,
                    &raw mut info,
                    libc::WEXITED,
                )
            };
            if rc == 0 {
                break;
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        // SAFETY: waitid succeeded for a child, so the SIGCHLD fields are there.
        let status = unsafe { info.si_status() };
        Ok(if info.si_code == libc::CLD_EXITED {
            status
        } else {
            128 + status
        })
    }
}

struct ChildArguments<'a> {
    program: *const libc::c_char,
    argv: *const *const libc::c_char,
    environment: *const *const libc::c_char,
    cwd: *const libc::c_char,
    start: &'a Start<'a>,
    error: libc::c_int,
}

/// A stack for the moment between clone and exec. One per thread: the parent thread sleeps while it is in use.
struct Stack(*mut c_void);

impl Stack {
    fn new() -> io::Result<Self> {
        // SAFETY: asks for fresh anonymous memory.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                STACK,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Stack(base))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly what `new` mapped; no child is on it, since clone returns after exec.
        unsafe { libc::munmap(self.0, STACK) };
    }
}

thread_local! {
    static SPAWN_STACK: RefCell<Option<Stack>> = const { RefCell::new(None) };
}

/// Start `program`; an error carries the reason of the step that failed (a missing directory, a missing program).
///
/// # Errors
/// The reason of the step that failed (a missing folder, a missing program).
pub fn spawn(program: &Program, start: &Start<'_>) -> io::Result<Child> {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings
            .iter()
            .map(|s| s.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (argv, environment) = (pointers(&program.argv), pointers(&program.environment));
    let mut arguments = ChildArguments {
        program: program.path.as_ptr(),
        argv: argv.as_ptr(),
        environment: environment.as_ptr(),
        cwd: program.cwd.as_ptr(),
        start,
        error: 0,
    };
    key(); // made here, not in the child
    let mut pidfd: RawFd = -1;
    let pid = SPAWN_STACK.with_borrow_mut(|stack| -> io::Result<libc::pid_t> {
        let stack = match stack {
            Some(stack) => stack,
            None => stack.insert(Stack::new()?),
        };
        // SAFETY: the child runs `enter` on its own stack in our memory while this thread is suspended (VFORK), so
        // `arguments` and the vectors outlive it; `enter` makes only system calls. Signals stay blocked in
        // between, so that no handler of ours runs in the child.
        unsafe {
            let (mut all, mut old) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old);
            let pid = libc::clone(
                enter,
                stack.0.byte_add(STACK),
                libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD,
                (&raw mut arguments).cast(),
                &raw mut pidfd,
            );
            let error = io::Error::last_os_error();
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, std::ptr::null_mut());
            if pid < 0 {
                return Err(error);
            }
            Ok(pid)
        }
    })?;
    // SAFETY: clone succeeded and wrote a fresh descriptor that is ours.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let child = Child { pid, pidfd };
    // SAFETY: a volatile read, since the child wrote it behind the compiler's back.
    let error = unsafe { std::ptr::read_volatile(&raw const arguments.error) };
    if error != 0 {
        child.wait()?;
        return Err(io::Error::from_raw_os_error(error));
    }
    Ok(child)
}

extern "C" fn enter(arguments: *mut c_void) -> libc::c_int {
    // SAFETY: the parent passes a ChildArguments that lives until we exec or exit. Only system calls from here on.
    unsafe {
        let arguments = &mut *arguments.cast::<ChildArguments<'_>>();
        arguments.error = run(arguments);
        libc::_exit(127)
    }
}

/// Become the program; returns errno of the step that failed.
///
/// # Safety
/// Only in a vforked child: it changes descriptors, directory and signals of the calling process.
unsafe fn run(arguments: &ChildArguments<'_>) -> libc::c_int {
    // SAFETY: reads this thread's errno.
    let errno = || unsafe { *libc::__errno_location() };
    let start = arguments.start;
    // SAFETY: plain system calls on valid pointers; nothing allocates, nothing unwinds.
    unsafe {
        libc::setsid();
        for (number, fd) in start.stdio.iter().enumerate() {
            if libc::dup2(fd.as_raw_fd(), number as RawFd) < 0 {
                return errno();
            }
        }
        // Everything of ours is marked so already; that a command never gets a socket or a control file depends on no list.
        libc::syscall(
            libc::SYS_close_range,
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        );
        for (fd, number) in start.extra {
            if libc::dup2(fd.as_raw_fd(), *number) < 0 {
                return errno();
            }
        }
        if libc::chdir(arguments.cwd) < 0 {
            return errno();
        }
        for (resource, value) in [
            (libc::RLIMIT_AS, start.memory),
            (libc::RLIMIT_NPROC, start.tasks),
        ] {
            let limit = libc::rlimit {
                rlim_cur: value,
                rlim_max: value,
            };
            // More tasks than the hard limit cannot be had, and need not.
            if libc::setrlimit(resource, &raw const limit) < 0 && resource == libc::RLIMIT_AS {
                return errno();
            }
        }
        if !start.tag.put_on() {
            return errno();
        }
        // Rust ignores SIGPIPE, and who started us may have ignored others (nohup does): programs must not.
        for number in [
            libc::SIGPIPE,
            libc::SIGXFSZ,
            libc::SIGHUP,
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGTERM,
            libc::SIGTSTP,
            libc::SIGTTIN,
            libc::SIGTTOU,
        ] {
            libc::signal(number, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::execve(arguments.program, arguments.argv, arguments.environment);
        errno()
    }
}

/// A pipe whose ends no program inherits: `(read, write)`.
///
/// # Errors
/// Where there are no descriptors left.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: the kernel writes two descriptors, which are then ours.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// Open a file for reading that no program inherits.
///
/// # Errors
/// The system's.
pub fn open(path: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: opens a valid path; the descriptor is ours.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_some_calls_are_told_from_others() {
        for first in [0, 5, 799_990, 800_001, 79_190_000] {
            for n in first..first + 30 {
                assert!(Tag::new(n).is_within(first, first + 30), "{first} {n}");
            }
            assert!(!Tag::new(first + 30).is_within(first, first + 30));
            assert!(!Tag::new(first + 799_999).is_within(first, first + 30));
            for limit in [0, 19_199, 819_200, u64::MAX] {
                assert!(!Tag(limit).is_within(first, first + 30));
            }
        }
    }
}
