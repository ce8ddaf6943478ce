//! Looks at the sandbox from inside before the first call: a program that finds a door open does not begin.
//!
//! What bubblewrap was asked for is not taken on trust: an old one, a wrapper in its place or a kernel that ignores a
//! flag would leave commands with more than anybody meant. Everything here is read once, from `/proc`, in less than a
//! millisecond.

use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::fs::MetadataExt;

/// The namespaces that must be others than the caller's.
pub const NAMESPACES: [&str; 6] = ["ipc", "mnt", "net", "pid", "user", "uts"];

/// What the caller says of a network that it shares on purpose (`link run`: the link is what it is for).
const SHARED_NET: &str = "net:0";

/// Places below which mounts may be written to; the workspace is one more.
const WRITABLE: [&str; 5] = ["/dev/pts", "/dev/shm", "/proc", "/tmp", "/dev/mqueue"];

/// Close every descriptor but the standard ones and those in `keep`: a folder of the outside that is still open is a
/// way out. Before any thread.
///
/// # Errors
/// Where the system cannot close them.
pub fn close_others(keep: &[RawFd]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep
        .iter()
        .filter_map(|fd| u32::try_from(*fd).ok())
        .collect();
    keep.push(2);
    keep.sort_unstable();
    keep.push(u32::MAX);
    for pair in keep.windows(2) {
        let (first, last) = (
            pair[0] + 1,
            pair[1].saturating_sub(u32::from(pair[1] != u32::MAX)),
        );
        if first > last {
            continue;
        }
        // SAFETY: closes descriptors that nothing of ours uses yet.
        if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Check what `confine` and the sandbox should have made of this process; `outer` are the caller's namespaces as
/// `name:inode`, `at` is the one place of the host that may be written to. An error names the first thing that is not so.
///
/// # Errors
/// The first thing that is not so.
pub fn check(outer: &str, at: &str) -> io::Result<()> {
    let read = |path: &str| {
        fs::read_to_string(path).map_err(|error| wrong(format!("{path} cannot be read: {error}")))
    };
    check_namespaces(outer)?;
    check_status(&read("/proc/self/status")?)?;
    check_mounts(&read("/proc/self/mountinfo")?, at)?;
    if !outer.contains(SHARED_NET) {
        check_network(&read("/proc/self/net/dev")?)?;
    }
    check_identity()?;
    check_environment()
}

fn wrong(what: String) -> io::Error {
    io::Error::other(format!(
        "the sandbox is not whole: {what}; nothing was run (see `curserve-bench doctor`)"
    ))
}

fn check_namespaces(outer: &str) -> io::Result<()> {
    for name in NAMESPACES {
        let theirs = outer
            .split(',')
            .find_map(|word| word.strip_prefix(name)?.strip_prefix(':'))
            .and_then(|inode| inode.parse::<u64>().ok())
            .ok_or_else(|| wrong(format!("the caller's {name} namespace is not known")))?;
        let path = format!("/proc/self/ns/{name}");
        let ours = fs::metadata(&path)
            .map_err(|error| wrong(format!("{path}: {error}")))?
            .ino();
        if name == "net" && outer.contains(SHARED_NET) {
            continue;
        }
        if ours == theirs {
            return Err(wrong(format!("the {name} namespace is the caller's")));
        }
    }
    if std::process::id() != 1 {
        return Err(wrong(
            "this is not the first process of its namespace".into(),
        ));
    }
    Ok(())
}

fn check_status(status: &str) -> io::Result<()> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::trim)
            .ok_or_else(|| wrong(format!("the kernel does not say {name}")))
    };
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        let value = field(set)?;
        if value.bytes().any(|digit| digit != b'0') {
            return Err(wrong(format!("a capability is left ({set} {value})")));
        }
    }
    for (name, needed) in [("NoNewPrivs:", "1"), ("Seccomp:", "2")] {
        let value = field(name)?;
        if value != needed {
            return Err(wrong(format!("{name} {value}, not {needed}")));
        }
    }
    for name in ["Uid:", "Gid:"] {
        if field(name)?.split_whitespace().any(|id| id == "0") {
            return Err(wrong(format!("{name} root inside")));
        }
    }
    Ok(())
}

/// Everything is `nosuid` and `nodev`, and read-only but for the workspace and what is the sandbox's own.
fn check_mounts(mounts: &str, at: &str) -> io::Result<()> {
    for line in mounts.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let (Some(place), Some(options)) = (fields.get(4), fields.get(5)) else {
            return Err(wrong(format!("a mount that cannot be read: {line}")));
        };
        let place = unescaped(place);
        let has = |option: &str| options.split(',').any(|one| one == option);
        let device = place.starts_with("/dev/"); // single nodes (null, zero, …), and the terminals of our own
        if !has("nosuid") || !(has("nodev") || device) {
            return Err(wrong(format!(
                "{place} is mounted with {options}, without nosuid and nodev"
            )));
        }
        let ours = place == at || WRITABLE.contains(&place.as_str()) || is_node(&place);
        if !has("ro") && !ours {
            return Err(wrong(format!("{place} can be written to")));
        }
        if place.starts_with("/sys") && !(at == place || place.starts_with(&format!("{at}/"))) {
            return Err(wrong(format!("{place} is mounted")));
        }
    }
    Ok(())
}

/// The device nodes that bubblewrap binds one by one.
fn is_node(place: &str) -> bool {
    let names = [
        "null", "zero", "full", "random", "urandom", "tty", "console",
    ];
    place
        .strip_prefix("/dev/")
        .is_some_and(|name| names.contains(&name))
}

/// A mount point as it is: the kernel writes blank, tab, line end and backslash in octal.
fn unescaped(place: &str) -> String {
    let mut bytes = Vec::with_capacity(place.len());
    let mut rest = place.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let code = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok();
        match (first, after.get(..3).and_then(code)) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn check_network(devices: &str) -> io::Result<()> {
    let names = devices
        .lines()
        .skip(2)
        .filter_map(|line| line.split(':').next());
    for name in names.map(str::trim) {
        // What the kernel puts into every new network namespace: down, without an address.
        let fresh = [
            "lo", "tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0",
            "ip6_vti0",
        ];
        if !fresh.contains(&name) {
            return Err(wrong(format!("there is a network device {name}")));
        }
    }
    Ok(())
}

/// Our user must not be the machine's root: `/proc/sys` is always root's, so whoever owns it as we see it is.
fn check_identity() -> io::Result<()> {
    // SAFETY: asks who we are.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    let machine =
        fs::metadata("/proc/sys").map_err(|error| wrong(format!("/proc/sys: {error}")))?;
    if machine.uid() == uid || machine.gid() == gid {
        return Err(wrong("it runs as the machine's root".into()));
    }
    // SAFETY: asks for the number of further groups.
    let groups = unsafe { libc::getgroups(0, std::ptr::null_mut()) };
    let mut list = vec![0; usize::try_from(groups).unwrap_or(0)];
    // SAFETY: the list has room for as many.
    unsafe { libc::getgroups(groups, list.as_mut_ptr()) };
    if list.contains(&machine.gid()) && machine.gid() != 65_534 {
        return Err(wrong("it is in the machine's root group".into()));
    }
    Ok(())
}

fn check_environment() -> io::Result<()> {
    let known = |name: &str| {
        name == "PWD"
            || curserve_pinned::ENVIRONMENT
                .iter()
                .any(|(known, _)| *known == name)
    };
    match std::env::vars_os().find(|(name, _)| !name.to_str().is_some_and(known)) {
        Some((name, _)) => Err(wrong(format!(
            "${} came from outside",
            name.to_string_lossy()
        ))),
        None => Ok(()),
    }
}
