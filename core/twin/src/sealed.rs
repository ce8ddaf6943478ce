//! The server's side gives up what it does not need: it starts nothing, opens no way to anybody, and reaches no files but its own.
//!
//! What a client sends is bytes for files, and what a model asks is answered by reading them. Should a defect of ours ever
//! make more of either, the kernel still holds it: system calls are those of a list, and starting a program, by whatever
//! call, ends the process. Only files beneath the copy and its state may be changed or read, beside those that say how much
//! memory there is.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use landlock::{
    path_beneath_rules, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope, ABI,
};
use seccompiler::{
    apply_filter_all_threads, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp,
    SeccompCondition, SeccompFilter, SeccompRule,
};

/// What says how much of the machine there is.
const READABLE: [&str; 3] = ["/proc", "/sys/fs/cgroup", "/sys/devices/system/cpu"];
/// The longest file that may be written: what one of a workspace may have, and a log beside it.
const LONGEST: u64 = 2 << 30;

/// Seals this process for good, before it starts threads. `writable`: all that may be changed, or read; `memory`: the most bytes
/// that it may have for itself. Whether the kernel holds the files too (Linux 5.13 and later), which it then says of itself.
///
/// # Errors
/// Where the kernel cannot hold the rest; this process is to end then.
pub fn seal(writable: &[&Path], memory: u64) -> io::Result<bool> {
    limit(libc::RLIMIT_CORE, 0)?;
    limit(libc::RLIMIT_FSIZE, LONGEST)?;
    limit(libc::RLIMIT_DATA, memory)?;
    // SAFETY: these change flags of this process only.
    let done = unsafe {
        // A file that becomes too long is an error, and no end.
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            | libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0)
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    let holds_files = files(writable).map_err(io::Error::other)?;
    for program in [
        without(
            &[libc::SYS_clone3],
            SeccompAction::Errno(libc::ENOSYS as u32),
        )?,
        without(STARTS, SeccompAction::KillProcess)?,
        allowed()?,
    ] {
        apply_filter_all_threads(&program).map_err(io::Error::other)?;
    }
    Ok(holds_files)
}

fn limit(resource: libc::__rlimit_resource_t, most: u64) -> io::Result<()> {
    let mut now = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: reads and sets a limit of this process.
    let done = unsafe {
        libc::getrlimit(resource, &raw mut now);
        let most = most.min(now.rlim_max);
        let limit = libc::rlimit {
            rlim_cur: most,
            rlim_max: most,
        };
        libc::setrlimit(resource, &raw const limit)
    };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn files(writable: &[&Path]) -> Result<bool, landlock::RulesetError> {
    let abi = ABI::V6;
    let all = AccessFs::from_all(abi) & !AccessFs::Execute;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(READABLE, read))?
        .add_rules(path_beneath_rules(writable, all))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// What starts a program, or a process.
const STARTS: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];

/// What a server of files needs: files by descriptor, memory, threads, time, and the connections that it was given.
const ALLOWED: &[libc::c_long] = &[
    // Files.
    libc::SYS_close,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_ioctl,
    libc::SYS_lseek,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch,
    // Connections that stand, or come to a socket that listens.
    libc::SYS_accept4,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    // Waiting.
    libc::SYS_clock_nanosleep,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_nanosleep,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    // Memory, threads, time, and who one is.
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    // Hidden before, so that the C library takes the one whose flags can be looked at.
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_sysinfo,
    libc::SYS_tgkill,
    libc::SYS_uname,
];

/// The same by older numbers, which libraries still use.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[libc::c_long] = &[
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_chmod,
    libc::SYS_epoll_wait,
    libc::SYS_gettimeofday,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_stat,
    libc::SYS_symlink,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[libc::c_long] = &[];

fn allowed() -> io::Result<BpfProgram> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED
        .iter()
        .chain(ALLOWED_HERE)
        .map(|call| (*call, Vec::new()))
        .collect();
    let (thread, name) = (libc::CLONE_THREAD as u64, libc::PR_SET_NAME as u64);
    // Threads, but no processes; a thread's own priority; limits are read, and not set; threads have names;
    // a pair of sockets is a pipe of one's own.
    let only = [
        (libc::SYS_clone, 0, SeccompCmpOp::MaskedEq(thread), thread),
        (libc::SYS_setpriority, 1, SeccompCmpOp::Eq, 0),
        (libc::SYS_prlimit64, 2, SeccompCmpOp::Eq, 0),
        (libc::SYS_prctl, 0, SeccompCmpOp::Eq, name),
        (
            libc::SYS_socketpair,
            0,
            SeccompCmpOp::Eq,
            libc::AF_UNIX as u64,
        ),
    ];
    for (call, argument, operator, value) in only {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operator, value);
        let rule = condition.and_then(|condition| SeccompRule::new(vec![condition]));
        rules.insert(call, vec![rule.map_err(io::Error::other)?]);
    }
    program(
        rules,
        SeccompAction::Errno(libc::EPERM as u32),
        SeccompAction::Allow,
    )
}

fn without(calls: &[libc::c_long], action: SeccompAction) -> io::Result<BpfProgram> {
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    program(rules, SeccompAction::Allow, action)
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> io::Result<BpfProgram> {
    let arch = std::env::consts::ARCH
        .try_into()
        .map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, otherwise, matched, arch).map_err(io::Error::other)?;
    filter.try_into().map_err(io::Error::other)
}
