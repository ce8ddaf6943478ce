//! The attempts: each is Ok where it got through.

use std::ffi::CString;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::RawFd;
use std::time::Duration;

pub(super) fn result(rc: libc::c_long) -> io::Result<()> {
    match rc {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Refused means refused by rule: an error about the arguments says that the call was looked at.
pub(super) fn refused(number: libc::c_long, a: &[libc::c_long; 5]) -> io::Result<()> {
    // SAFETY: arguments that no kernel takes; where one gets through, nothing happens.
    let rc = unsafe { libc::syscall(number, a[0], a[1], a[2], a[3], a[4]) };
    let error = result(rc);
    match error.as_ref().err().and_then(io::Error::raw_os_error) {
        Some(libc::EPERM | libc::ENOSYS) => error,
        // The identities of a user namespace without root: the kernel itself says that there is no such user.
        Some(libc::EINVAL | libc::EFAULT) if IDENTITIES.contains(&number) => error,
        _ => Ok(()),
    }
}

const IDENTITIES: [libc::c_long; 4] = [
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
];

pub(super) fn open(path: &str, flags: libc::c_int) -> io::Result<()> {
    let path = CString::new(path).map_err(io::Error::other)?;
    let flags = flags | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: opens a valid path; what it gives is closed at once.
    unsafe {
        let fd: RawFd = libc::open(path.as_ptr(), flags, 0o600);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::close(fd);
    }
    Ok(())
}

pub(super) fn make_device() -> io::Result<()> {
    // SAFETY: a valid path.
    result(unsafe { libc::mknod(c"/tmp/device".as_ptr(), libc::S_IFCHR | 0o666, 0x103) }.into())
}

pub(super) fn connect(port: u16) -> io::Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).map(|_| ())
}

pub(super) fn connect_abstract(name: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    std::os::unix::net::UnixStream::connect_addr(&address).map(|_| ())
}

/// Whether it got through.
pub(super) type Attack = fn() -> bool;

/// Other ways into the kernel, which a filter for this one does not see.
#[cfg(target_arch = "x86_64")]
pub(super) const FOREIGN: &[(&str, Attack)] =
    &[("the 32-bit gate", call_32_bit), ("x32", call_x32)];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const FOREIGN: &[(&str, Attack)] = &[];

#[cfg(target_arch = "x86_64")]
fn call_32_bit() -> bool {
    let answer: i32;
    // SAFETY: `getpid` of the 32-bit table: reads nothing, changes nothing.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inlateout("eax") 20 => answer,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    answer > 0
}

#[cfg(target_arch = "x86_64")]
fn call_x32() -> bool {
    // SAFETY: `getpid` of the x32 table.
    unsafe { libc::syscall(0x4000_0000 | libc::SYS_getpid) > 0 }
}

/// Try `attack` in a child, since it may be killed for it: Ok where it got through.
pub(super) fn in_a_child(attack: Attack) -> io::Result<()> {
    // SAFETY: this process has one thread; the child makes one system call and ends.
    unsafe {
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => libc::_exit(i32::from(attack())),
            child => {
                let mut status = 0;
                libc::waitpid(child, &raw mut status, 0);
                if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1 {
                    return Ok(());
                }
                Err(io::Error::other(match libc::WIFSIGNALED(status) {
                    true => "ended by a signal",
                    false => "no such call",
                }))
            }
        }
    }
}
