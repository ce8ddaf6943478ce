//! `curserve probe`: tries, from inside the sandbox, what no command may do, and says for each whether it was held.
//!
//! Run once for a machine and a version before anything else is. Nothing here would do harm where it got through: files
//! are opened and not written to, calls get arguments that no kernel takes.

use std::ffi::CString;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::RawFd;
use std::time::Duration;

use curserve_exec::{confine, inside, Limits};
use lexopt::{Arg, Parser, ValueExt};
use serde_json::json;

use crate::Failure;

/// Must not be opened for writing.
const UNWRITABLE: &[&str] = &[
    "/proc/sys/fs/lease-break-time",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sysrq-trigger",
    "/proc/irq/default_smp_affinity",
    "/proc/1/mem",
    "/proc/1/oom_score_adj",
    "/sys/power/state",
    "/sys/kernel/uevent_helper",
    "/sys/fs/cgroup/cgroup.procs",
    "/etc/passwd",
    "/usr/bin/env",
    "/opt/curserve/bin/rg",
    "/dev/mem",
    "/dev/kmsg",
    "/dev/vda",
    "/dev/sda",
];

/// Must not be opened for reading.
const UNREADABLE: &[&str] = &[
    "/proc/kcore",
    "/proc/kmsg",
    "/proc/timer_list",
    "/proc/keys",
    "/proc/slabinfo",
    "/proc/kpagecount",
    "/proc/1/environ",
    "/proc/1/maps",
    "/proc/1/root",
    "/proc/1/cwd",
    "/proc/1/fd/0",
    "/etc/shadow",
    "/etc/ssh",
    "/root",
    "/home",
    "/var",
    "/run",
    "/mnt",
    "/srv",
    "/boot",
    "/sys",
    "/usr/local",
    "/usr/src",
    "/oldroot",
    "/newroot",
];

/// Must not be made.
const UNMAKABLE: &[&str] = &[
    "/x",
    "/etc/x",
    "/usr/bin/x",
    "/dev/x",
    "/proc/x",
    "/opt/x",
    "/opt/curserve/x",
];

/// Calls that must be refused, with arguments that would do nothing.
const REFUSED: &[(&str, libc::c_long, [libc::c_long; 5])] = &[
    ("ptrace", libc::SYS_ptrace, [16, 1, 0, 0, 0]),
    (
        "process_vm_readv",
        libc::SYS_process_vm_readv,
        [1, 0, 0, 0, 0],
    ),
    (
        "process_vm_writev",
        libc::SYS_process_vm_writev,
        [1, 0, 0, 0, 0],
    ),
    (
        "process_madvise",
        libc::SYS_process_madvise,
        [-1, 0, 0, 0, 0],
    ),
    ("kcmp", libc::SYS_kcmp, [1, 1, 99, 0, 0]),
    ("pidfd_getfd", libc::SYS_pidfd_getfd, [-1, 0, 0, 0, 0]),
    ("keyctl", libc::SYS_keyctl, [0, -3, 0, 0, 0]),
    ("add_key", libc::SYS_add_key, [0, 0, 0, 0, 0]),
    ("request_key", libc::SYS_request_key, [0, 0, 0, 0, 0]),
    ("bpf", libc::SYS_bpf, [-1, 0, 0, 0, 0]),
    (
        "perf_event_open",
        libc::SYS_perf_event_open,
        [0, 0, -1, -1, 0],
    ),
    ("userfaultfd", libc::SYS_userfaultfd, [1, 0, 0, 0, 0]),
    ("io_uring_setup", libc::SYS_io_uring_setup, [0, 0, 0, 0, 0]),
    ("io_uring_enter", libc::SYS_io_uring_enter, [-1, 0, 0, 0, 0]),
    (
        "io_uring_register",
        libc::SYS_io_uring_register,
        [-1, 99, 0, 0, 0],
    ),
    (
        "unshare user",
        libc::SYS_unshare,
        [libc::CLONE_NEWUSER as libc::c_long, 0, 0, 0, 0],
    ),
    (
        "unshare net",
        libc::SYS_unshare,
        [libc::CLONE_NEWNET as libc::c_long, 0, 0, 0, 0],
    ),
    ("setns", libc::SYS_setns, [-1, 0, 0, 0, 0]),
    ("mount", libc::SYS_mount, [0, 0, 0, 0, 0]),
    ("umount2", libc::SYS_umount2, [0, 0, 0, 0, 0]),
    ("pivot_root", libc::SYS_pivot_root, [0, 0, 0, 0, 0]),
    ("chroot", libc::SYS_chroot, [0, 0, 0, 0, 0]),
    ("open_tree", libc::SYS_open_tree, [-1, 0, 1, 0, 0]),
    ("move_mount", libc::SYS_move_mount, [-1, 0, -1, 0, 0]),
    ("fsopen", libc::SYS_fsopen, [0, 0, 0, 0, 0]),
    ("fsconfig", libc::SYS_fsconfig, [-1, 0, 0, 0, 0]),
    ("fsmount", libc::SYS_fsmount, [-1, 0, 0, 0, 0]),
    ("fspick", libc::SYS_fspick, [-1, 0, 0, 0, 0]),
    ("mount_setattr", libc::SYS_mount_setattr, [-1, 0, 0, 0, 0]),
    (
        "name_to_handle_at",
        libc::SYS_name_to_handle_at,
        [-1, 0, 0, 0, 0],
    ),
    (
        "open_by_handle_at",
        libc::SYS_open_by_handle_at,
        [-1, 0, 0, 0, 0],
    ),
    ("fanotify_init", libc::SYS_fanotify_init, [-1, 0, 0, 0, 0]),
    ("kexec_load", libc::SYS_kexec_load, [0, 0, 0, -1, 0]),
    (
        "kexec_file_load",
        libc::SYS_kexec_file_load,
        [-1, -1, 0, 0, -1],
    ),
    ("init_module", libc::SYS_init_module, [0, 0, 0, 0, 0]),
    ("finit_module", libc::SYS_finit_module, [-1, 0, 0, 0, 0]),
    ("delete_module", libc::SYS_delete_module, [0, 0, 0, 0, 0]),
    ("reboot", libc::SYS_reboot, [0, 0, 0, 0, 0]),
    ("swapon", libc::SYS_swapon, [0, -1, 0, 0, 0]),
    ("swapoff", libc::SYS_swapoff, [0, 0, 0, 0, 0]),
    ("quotactl", libc::SYS_quotactl, [-1, 0, 0, 0, 0]),
    ("syslog", libc::SYS_syslog, [10, 0, 0, 0, 0]),
    (
        "personality",
        libc::SYS_personality,
        [0x0800_0000, 0, 0, 0, 0],
    ),
    ("vmsplice", libc::SYS_vmsplice, [-1, 0, 0, 0, 0]),
    ("move_pages", libc::SYS_move_pages, [1, 0, 0, 0, 0]),
    ("clock_settime", libc::SYS_clock_settime, [0, 0, 0, 0, 0]),
    ("sethostname", libc::SYS_sethostname, [0, -1, 0, 0, 0]),
    (
        "clone user",
        libc::SYS_clone,
        [libc::CLONE_NEWUSER as libc::c_long, 0, 0, 0, 0],
    ),
    ("clone3", libc::SYS_clone3, [0, 0, 0, 0, 0]),
    ("ioctl TIOCSTI", libc::SYS_ioctl, [-1, 0x5412, 0, 0, 0]),
    ("ioctl TIOCLINUX", libc::SYS_ioctl, [-1, 0x541C, 0, 0, 0]),
    ("ioctl TIOCSETD", libc::SYS_ioctl, [-1, 0x5423, 0, 0, 0]),
    ("socket vsock", libc::SYS_socket, [40, 1, 0, 0, 0]),
    ("socket packet", libc::SYS_socket, [17, 3, 0, 0, 0]),
    ("socket alg", libc::SYS_socket, [38, 5, 0, 0, 0]),
    ("socket bluetooth", libc::SYS_socket, [31, 3, 0, 0, 0]),
    ("raw socket", libc::SYS_socket, [2, 3, 1, 0, 0]),
    ("setuid root", libc::SYS_setuid, [0, 0, 0, 0, 0]),
    ("setgid root", libc::SYS_setgid, [0, 0, 0, 0, 0]),
    ("setgroups", libc::SYS_setgroups, [0, 0, 0, 0, 0]),
    ("set capabilities", libc::SYS_capset, [0, 0, 0, 0, 0]),
];

/// Run the verb: a JSON line for each probe; exit code 3 where one got through.
pub fn run(mut parser: Parser) -> Result<(), Failure> {
    let (mut outer, mut at, mut port, mut hidden) = (None, None, None, Vec::new());
    let (mut name, mut caller) = (None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("outer") => outer = Some(parser.value()?.string()?),
            Arg::Long("at") => at = Some(parser.value()?.string()?),
            Arg::Long("port") => port = Some(parser.value()?.parse::<u16>()?),
            Arg::Long("socket") => name = Some(parser.value()?.string()?),
            Arg::Long("pid") => caller = Some(parser.value()?.parse::<libc::pid_t>()?),
            Arg::Long("hidden") => hidden.push(parser.value()?.string()?),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let (Some(outer), Some(at)) = (outer, at) else {
        return Err(Failure::Usage(
            "probe: expected --outer NAMESPACES --at PATH".into(),
        ));
    };
    inside::close_others(&[])?;
    confine::confine(&Limits::default(), confine::Sockets::Namespaced)?;
    inside::check(&outer, &at)?;
    let targets = Targets {
        at,
        port,
        socket: name,
        caller,
        hidden,
    };
    // By a child, as commands are: the first process may look at itself.
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error().into()),
        0 => std::process::exit(if try_all(&targets) { 0 } else { 1 }),
        child => {
            let mut status = 0;
            // SAFETY: waits for our own child.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            match libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 {
                true => Ok(()),
                false => Err(Failure::Setup(
                    "probe: the sandbox let something through".into(),
                )),
            }
        }
    }
}

/// What of the machine's is to be looked for.
struct Targets {
    at: String,
    port: Option<u16>,
    socket: Option<String>,
    caller: Option<libc::pid_t>,
    hidden: Vec<String>,
}

/// Try everything, with a line for each; whether all was held.
fn try_all(targets: &Targets) -> bool {
    let mut all_held = true;
    let mut told = |probe: String, done: io::Result<()>| {
        let held = done.is_err();
        all_held &= held;
        let said = done.err().map(|error| error.to_string());
        println!("{}", json!({"probe": probe, "held": held, "said": said}));
    };
    for path in UNWRITABLE {
        told(format!("write {path}"), open(path, libc::O_WRONLY));
    }
    for path in UNREADABLE
        .iter()
        .copied()
        .chain(targets.hidden.iter().map(String::as_str))
    {
        told(format!("read {path}"), open(path, libc::O_RDONLY));
    }
    for path in UNMAKABLE {
        told(
            format!("make {path}"),
            open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL),
        );
    }
    for (name, number, arguments) in REFUSED {
        told(format!("call {name}"), refused(*number, arguments));
    }
    for (name, attack) in FOREIGN {
        told(format!("call by {name}"), in_a_child(*attack));
    }
    told("make a device".into(), make_device());
    if let Some(port) = targets.port {
        told("connect to the machine's 127.0.0.1".into(), connect(port));
    }
    if let Some(name) = &targets.socket {
        told(
            "connect to the machine's abstract sockets".into(),
            connect_abstract(name),
        );
    }
    if let Some(pid) = targets.caller.filter(|pid| *pid > 64) {
        // SAFETY: signal 0 asks only.
        told(
            "see the caller's process".into(),
            result(unsafe { libc::kill(pid, 0) }.into()),
        );
    }
    // What must be possible, else the rest would say nothing.
    for path in [
        format!("{}/probe", targets.at),
        "/tmp/probe".into(),
        "/dev/shm/probe".into(),
    ] {
        let made = open(&path, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL);
        let held = match &made {
            Ok(()) => Err(io::Error::other("as it should be")),
            Err(_) => Ok(()),
        };
        told(format!("work in {path}"), held);
    }
    all_held
}

fn result(rc: libc::c_long) -> io::Result<()> {
    match rc {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Refused means refused by rule: an error about the arguments says that the call was looked at.
fn refused(number: libc::c_long, a: &[libc::c_long; 5]) -> io::Result<()> {
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

fn open(path: &str, flags: libc::c_int) -> io::Result<()> {
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

fn make_device() -> io::Result<()> {
    // SAFETY: a valid path.
    result(unsafe { libc::mknod(c"/tmp/device".as_ptr(), libc::S_IFCHR | 0o666, 0x103) }.into())
}

fn connect(port: u16) -> io::Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).map(|_| ())
}

fn connect_abstract(name: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    std::os::unix::net::UnixStream::connect_addr(&address).map(|_| ())
}

/// Whether it got through.
type Attack = fn() -> bool;

/// Other ways into the kernel, which a filter for this one does not see.
#[cfg(target_arch = "x86_64")]
const FOREIGN: &[(&str, Attack)] = &[("the 32-bit gate", call_32_bit), ("x32", call_x32)];
#[cfg(not(target_arch = "x86_64"))]
const FOREIGN: &[(&str, Attack)] = &[];

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
fn in_a_child(attack: Attack) -> io::Result<()> {
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
