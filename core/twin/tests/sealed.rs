//! A process that is sealed tries to get out, each time anew: by every way there is to start something, to reach somebody, or to
//! touch a file that is not its own.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is tried.
const TRIED: &str = "CURSERVE_SEALED_TRIES";
/// The folder in which it is tried: its own one, and what is beside it.
const PLACE: &str = "CURSERVE_SEALED_PLACE";
/// How a process ends in which what was tried came true.
const OUT: i32 = 77;

type Attempt = fn(&Path) -> io::Result<()>;

/// The result of a system call.
fn done(result: i64) -> io::Result<()> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn call(number: libc::c_long, arguments: [i64; 4]) -> io::Result<()> {
    let [a, b, c, d] = arguments;
    // SAFETY: what is tried is meant to be refused; where it is not, this process ends at once.
    done(unsafe { libc::syscall(number, a, b, c, d) })
}

fn path(path: &Path) -> CString {
    CString::new(path.to_str().unwrap()).unwrap()
}

/// What must not come true. `here` is the folder that is its own; `secret` and `outside` lie beside it.
const ATTEMPTS: &[(&str, Attempt)] = &[
    ("a program", |_| {
        Command::new("/bin/true").status().map(drop)
    }),
    ("a shell", |_| {
        Command::new("/bin/sh").args(["-c", ":"]).status().map(drop)
    }),
    ("a program of its own", |here| {
        Command::new(here.join("program")).status().map(drop)
    }),
    ("execve", |_| {
        let name = c"/bin/true".as_ptr();
        call(libc::SYS_execve, [name as i64, 0, 0, 0])
    }),
    ("execveat", |_| {
        let name = c"/bin/true".as_ptr();
        call(
            libc::SYS_execveat,
            [libc::AT_FDCWD.into(), name as i64, 0, 0],
        )
    }),
    // SAFETY: a child that there must not be ends at once.
    ("fork", |_| done(unsafe { libc::fork() }.into())),
    ("a process by clone", |_| {
        call(libc::SYS_clone, [libc::SIGCHLD.into(), 0, 0, 0])
    }),
    ("a process by clone3", |_| {
        let arguments = [0u64, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0];
        call(libc::SYS_clone3, [arguments.as_ptr() as i64, 64, 0, 0])
    }),
    ("a connection", |_| {
        std::net::TcpStream::connect("127.0.0.1:1").map(drop)
    }),
    ("a port", |_| {
        std::net::TcpListener::bind("127.0.0.1:0").map(drop)
    }),
    ("a datagram", |_| {
        std::net::UdpSocket::bind("127.0.0.1:0").map(drop)
    }),
    ("a local socket", |here| {
        std::os::unix::net::UnixListener::bind(here.join("s")).map(drop)
    }),
    ("reading beside", |here| {
        fs::read(here.join("../secret")).map(drop)
    }),
    ("reading through a link", |here| {
        fs::read(here.join("link")).map(drop)
    }),
    ("reading /etc", |_| fs::read("/etc/passwd").map(drop)),
    ("listing the root", |_| fs::read_dir("/").map(drop)),
    ("writing beside", |here| {
        fs::write(here.join("../outside/new"), "x")
    }),
    ("writing over it", |here| {
        fs::write(here.join("../secret"), "x")
    }),
    ("writing through a link", |here| {
        fs::write(here.join("link"), "x")
    }),
    ("a folder beside", |here| {
        fs::create_dir(here.join("../outside/d"))
    }),
    ("removing beside", |here| {
        fs::remove_file(here.join("../secret"))
    }),
    ("moving out", |here| {
        fs::rename(here.join("own"), here.join("../outside/own"))
    }),
    ("moving in", |here| {
        fs::rename(here.join("../secret"), here.join("in"))
    }),
    ("a name for it", |here| {
        fs::hard_link(here.join("../secret"), here.join("twin"))
    }),
    ("writing to /proc", |_| {
        fs::write("/proc/self/oom_score_adj", "0")
    }),
    ("a device", |here| {
        let name = path(&here.join("null"));
        call(
            libc::SYS_mknodat,
            [
                libc::AT_FDCWD.into(),
                name.as_ptr() as i64,
                (libc::S_IFCHR | 0o666).into(),
                0x103,
            ],
        )
    }),
    ("another owner", |here| {
        std::os::unix::fs::chown(here.join("own"), Some(1), Some(1))
    }),
    ("another root", |here| {
        call(libc::SYS_chroot, [path(here).as_ptr() as i64, 0, 0, 0])
    }),
    ("a namespace", |_| {
        call(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0, 0])
    }),
    ("a mount", |here| {
        let (kind, at) = (c"tmpfs".as_ptr() as i64, path(here));
        call(libc::SYS_mount, [kind, at.as_ptr() as i64, kind, 0])
    }),
    ("its parent's memory", |_| {
        let parent = std::os::unix::process::parent_id();
        call(
            libc::SYS_ptrace,
            [libc::PTRACE_ATTACH.into(), parent.into(), 0, 0],
        )
    }),
    ("a signal to its parent", |_| {
        call(
            libc::SYS_kill,
            [std::os::unix::process::parent_id().into(), 0, 0, 0],
        )
    }),
    ("a ring", |_| {
        call(
            libc::SYS_io_uring_setup,
            [1, [0u8; 120].as_ptr() as i64, 0, 0],
        )
    }),
    ("a program for the kernel", |_| {
        call(libc::SYS_bpf, [0, [0u8; 120].as_ptr() as i64, 120, 0])
    }),
    ("another user", |_| call(libc::SYS_setuid, [1, 0, 0, 0])),
    ("more memory", |_| {
        // SAFETY: a mapping that nobody uses.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                2 << 30,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        done(at as i64)
    }),
    ("higher limits", |_| {
        let most = libc::rlimit {
            rlim_cur: libc::RLIM_INFINITY,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: a limit of this process.
        done(unsafe { libc::setrlimit(libc::RLIMIT_DATA, &raw const most) }.into())
    }),
];

/// What it must still be able to do.
const WORK: &[(&str, Attempt)] = &[
    ("nothing", |_| Ok(())),
    ("own files", |here| {
        fs::write(here.join("new"), "x")?;
        fs::rename(here.join("new"), here.join("newer"))?;
        fs::create_dir(here.join("d"))?;
        std::os::unix::fs::symlink("x", here.join("d/l"))?;
        fs::read_dir(here)?.count();
        fs::remove_dir_all(here.join("d"))
    }),
    ("threads", |_| {
        std::thread::spawn(|| ())
            .join()
            .map_err(|_| io::Error::other("no thread"))
    }),
    ("memory", |_| {
        std::hint::black_box(vec![1u8; 64 << 20]);
        Ok(())
    }),
];

#[test]
fn child() {
    let Ok(tried) = std::env::var(TRIED) else {
        return;
    };
    let here = PathBuf::from(std::env::var_os(PLACE).unwrap());
    let holds = curserve_twin::seal(&[&here], 1 << 30).unwrap();
    assert!(holds, "the kernel has no Landlock");
    let mut all = ATTEMPTS.iter().chain(WORK);
    let (_, attempt) = all.find(|(name, _)| *name == tried).unwrap();
    match attempt(&here) {
        Ok(()) => std::process::exit(OUT),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}

fn ends_of(attempts: &[(&'static str, Attempt)]) -> Vec<(&'static str, bool, String)> {
    let tried = attempts.iter().map(|(name, _)| {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let here = base.join("here");
        fs::create_dir(&here).unwrap();
        fs::create_dir(base.join("outside")).unwrap();
        fs::write(base.join("secret"), "kept").unwrap();
        fs::write(here.join("own"), "own").unwrap();
        fs::copy("/bin/true", here.join("program")).unwrap();
        std::os::unix::fs::symlink("../secret", here.join("link")).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(TRIED, name)
            .env(PLACE, &here)
            .output()
            .unwrap();
        assert_eq!(
            fs::read(base.join("secret")).ok().as_deref(),
            Some(&b"kept"[..]),
            "{name}"
        );
        assert_eq!(
            fs::read_dir(base.join("outside")).unwrap().count(),
            0,
            "{name}"
        );
        let is_out = child.status.code() == Some(OUT);
        let is_dead = child
            .status
            .signal()
            .map_or(String::new(), |signal| format!("signal {signal} "));
        let said = String::from_utf8_lossy(&child.stderr).into_owned();
        (*name, is_out, is_dead + &said)
    });
    tried.collect()
}

#[test]
fn nothing_gets_out() {
    let out: Vec<_> = ends_of(ATTEMPTS)
        .into_iter()
        .filter(|(_, is_out, _)| *is_out)
        .collect();
    assert_eq!(out, []);
}

#[test]
fn what_starts_a_program_ends_the_process() {
    let starts = |name: &str| ["execve", "execveat"].contains(&name);
    let ends = ends_of(
        &ATTEMPTS
            .iter()
            .copied()
            .filter(|(name, _)| starts(name))
            .collect::<Vec<_>>(),
    );
    let alive: Vec<_> = ends
        .iter()
        .filter(|(.., how)| !how.starts_with("signal 31 "))
        .collect();
    assert_eq!(alive, Vec::<&(&str, bool, String)>::new());
}

#[test]
fn its_work_is_left_to_it() {
    let failed: Vec<_> = ends_of(WORK)
        .into_iter()
        .filter(|(_, is_done, _)| !*is_done)
        .collect();
    assert_eq!(failed, []);
}
