//! Gives up what commands must not have: privileges, core files, system calls that reach outside the sandbox.
//!
//! The sandbox (bubblewrap) has taken away the file system, the network and other processes before this program
//! started; what is closed here are the kernel's side doors that namespaces leave open.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use crate::spawn;
use crate::world::Limits;

/// System calls that no command of a session needs and that have let programs out of sandboxes.
const FORBIDDEN: &[libc::c_long] = &[
    // Kernel keyrings: not namespaced.
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    // Other processes' memory, registers and descriptors.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Programs and counters in the kernel, faults that wait for us, rings that evade this filter.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Pages given to a pipe and kept: the way of several holes in the page cache.
    libc::SYS_vmsplice,
    // Namespaces, mounts, roots.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Files by number, past every mount.
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    // The machine itself.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_memfd_secret,
];

/// Open files of a process: room for all connections of a server, and little for a command that hoards them.
const DESCRIPTORS: u64 = 4096;

/// Those of one architecture only.
#[cfg(target_arch = "x86_64")]
const FORBIDDEN_HERE: &[libc::c_long] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
    libc::SYS_nfsservctl,
    libc::SYS_lookup_dcookie,
];
#[cfg(not(target_arch = "x86_64"))]
const FORBIDDEN_HERE: &[libc::c_long] = &[];

/// All processes of a user.
const IOPRIO_WHO_USER: u64 = 3;
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541C;
const TIOCSETD: u64 = 0x5423;

/// What `clone` must not make.
const NEW_NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// What `personality` may be: Linux as it is, without address randomisation, or only asked for.
const PERSONALITIES: [u64; 3] = [0, 0x0004_0000, 0xFFFF_FFFF];

/// What these make outlives its maker, in a namespace that is the machine's where no other is around us.
const OUTLIVING: [libc::c_long; 4] = [
    libc::SYS_shmget,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
];

/// How much of the socket interface commands keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sockets {
    /// Local ones and those of the session's own, empty network namespace.
    Namespaced,
    /// None, and no System V or message queues: there is no namespace around us.
    None,
}

/// Confine this process and all it starts, for good. The umask becomes 022.
///
/// # Errors
/// That of the step that failed; this process is to end then, since it may be half confined.
pub fn confine(limits: &Limits, sockets: Sockets) -> io::Result<()> {
    // SAFETY: changes flags, limits and the umask of this process only.
    unsafe {
        libc::umask(0o022);
        // Our own write of a file that becomes too long is an answer, and no end.
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        check(
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
            "no new privileges",
        )?;
        // Not readable, not traceable by the commands that run as the same user.
        check(
            libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0),
            "not dumpable",
        )?;
        check(
            libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0),
            "reaper of orphans",
        )?;
    }
    limit(libc::RLIMIT_CORE, 0)?;
    limit(libc::RLIMIT_FSIZE, limits.file)?;
    limit(libc::RLIMIT_NOFILE, DESCRIPTORS)?;
    hide_clone3()?;
    let program = filter(sockets).map_err(io::Error::other)?;
    seccompiler::apply_filter_all_threads(&program).map_err(io::Error::other)
}

fn check(rc: libc::c_int, what: &str) -> io::Result<()> {
    if rc == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(io::Error::new(error.kind(), format!("{what}: {error}")))
}

fn limit(resource: libc::__rlimit_resource_t, most: u64) -> io::Result<()> {
    let mut now = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: reads and sets a limit of this process.
    unsafe {
        check(libc::getrlimit(resource, &raw mut now), "resource limit")?;
        let most = most.min(now.rlim_max);
        let limit = libc::rlimit {
            rlim_cur: most,
            rlim_max: most,
        };
        check(
            libc::setrlimit(resource, &raw const limit),
            "resource limit",
        )
    }
}

fn filter(sockets: Sockets) -> Result<BpfProgram, seccompiler::BackendError> {
    let equals = |argument, value| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
    };
    let differs =
        |value| SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FORBIDDEN
        .iter()
        .chain(FORBIDDEN_HERE)
        .map(|call| (*call, Vec::new()))
        .collect();
    rules.insert(
        libc::SYS_ioctl,
        vec![
            SeccompRule::new(vec![equals(1, TIOCSTI)?])?,
            SeccompRule::new(vec![equals(1, TIOCLINUX)?])?,
            SeccompRule::new(vec![equals(1, TIOCSETD)?])?,
        ],
    );
    // Limits of others are not to be changed: the worker's are within reach of its commands, which have its user. And the
    // one that marks the processes of a call (`spawn::Tag`) only by who has the key.
    let set = |condition| -> Result<_, seccompiler::BackendError> {
        let is_set = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)?;
        Ok([condition, is_set])
    };
    let mark = libc::RLIMIT_MSGQUEUE.into();
    let mut limits = vec![SeccompRule::new(set(differs(0)?)?.into())?];
    for (argument, key) in spawn::key().into_iter().enumerate() {
        let without = SeccompCondition::new(
            argument as u8,
            SeccompCmpArgLen::Qword,
            SeccompCmpOp::Ne,
            key,
        )?;
        let mut rule = vec![equals(1, mark)?];
        rule.extend(set(without)?);
        limits.push(SeccompRule::new(rule)?);
    }
    rules.insert(libc::SYS_prlimit64, limits);
    rules.insert(
        libc::SYS_setrlimit,
        vec![SeccompRule::new(vec![equals(0, mark)?])?],
    );
    // When and where others run is not to be changed either: a thread of the worker hands it on to every later call.
    for call in [
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
    ] {
        rules.insert(call, vec![SeccompRule::new(vec![differs(0)?])?]);
    }
    for (call, user) in [
        (libc::SYS_setpriority, libc::PRIO_USER as u64),
        (libc::SYS_ioprio_set, IOPRIO_WHO_USER),
    ] {
        let of_others = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, 0)?;
        rules.insert(
            call,
            vec![
                SeccompRule::new(vec![of_others])?,
                SeccompRule::new(vec![equals(0, user)?])?,
            ],
        );
    }
    rules.insert(
        libc::SYS_personality,
        vec![SeccompRule::new(
            PERSONALITIES
                .into_iter()
                .map(differs)
                .collect::<Result<_, _>>()?,
        )?],
    );
    rules.insert(
        libc::SYS_clone,
        NEW_NAMESPACES
            .into_iter()
            .map(|flag| {
                let flag = flag as u64;
                SeccompRule::new(vec![SeccompCondition::new(
                    0,
                    SeccompCmpArgLen::Qword,
                    SeccompCmpOp::MaskedEq(flag),
                    flag,
                )?])
            })
            .collect::<Result<_, _>>()?,
    );
    if sockets == Sockets::None {
        rules.extend(OUTLIVING.map(|call| (call, Vec::new())));
    }
    // Network namespaces do not hold vsock, so that what is not known to be held is refused.
    rules.insert(
        libc::SYS_socket,
        match sockets {
            Sockets::None => Vec::new(),
            Sockets::Namespaced => vec![SeccompRule::new(
                [
                    libc::AF_UNIX,
                    libc::AF_INET,
                    libc::AF_INET6,
                    libc::AF_NETLINK,
                ]
                .into_iter()
                .map(|family| differs(family as u64))
                .collect::<Result<_, _>>()?,
            )?],
        },
    );
    let eperm = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        std::env::consts::ARCH.try_into()?,
    )?;
    eperm.try_into()
}

/// `clone3` hides its flags from filters; answering "no such call" makes the C library fall back to `clone`. The same for
/// the calls of the x32 interface, which are the ordinary ones by other numbers, and so pass by every rule.
fn hide_clone3() -> io::Result<()> {
    #[cfg(target_arch = "x86_64")]
    seccompiler::apply_filter_all_threads(&hide_x32()).map_err(io::Error::other)?;
    let arch = std::env::consts::ARCH
        .try_into()
        .map_err(io::Error::other)?;
    let filter = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS as u32),
        arch,
    )
    .map_err(io::Error::other)?;
    let program: BpfProgram = filter.try_into().map_err(io::Error::other)?;
    seccompiler::apply_filter_all_threads(&program).map_err(io::Error::other)
}

/// Loads the call's number, and answers ENOSYS to those with the bit of the x32 interface. No rule of the library's can
/// say "this number, or a higher one".
#[cfg(target_arch = "x86_64")]
fn hide_x32() -> BpfProgram {
    const X32: u32 = 0x4000_0000;
    let step = |code: u32, jt, jf, k| seccompiler::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32),
        step(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32,
        ),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}
