//! Processes, as `/proc` shows them.

/// Every process that this one can see.
pub fn processes() -> Vec<libc::pid_t> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Whether `pid` has ended, and perhaps not been buried.
pub(crate) fn is_dead(pid: libc::pid_t) -> bool {
    Stat::of(pid).is_none_or(|stat| stat.state == b'Z' || stat.state == b'X')
}

/// The state of a process.
pub(crate) struct Stat {
    pub(crate) state: u8,
    pub(crate) parent: u32,
}

impl Stat {
    pub(crate) fn of(pid: libc::pid_t) -> Option<Self> {
        let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let after = text.iter().rposition(|byte| *byte == b')')?; // the name may hold anything, `)` too
        let rest = std::str::from_utf8(&text[after + 1..]).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        Some(Stat {
            state: *fields.next()?.as_bytes().first()?,
            parent: fields.next()?.parse().ok()?,
        })
    }
}

/// Bytes of memory that are `pid`'s alone: what it shares is counted where it lies (a file, `/tmp`, `/dev/shm`).
pub(crate) fn own_memory(pid: libc::pid_t) -> u64 {
    let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/statm")) else {
        return 0;
    };
    let mut fields = text
        .split_ascii_whitespace()
        .map(|field| field.parse().unwrap_or(0u64));
    let (resident, shared) = (fields.nth(1).unwrap_or(0), fields.next().unwrap_or(0));
    resident.saturating_sub(shared).saturating_mul(4096)
}

/// Threads of this user that are no threads of ours: the kernel counts them all as one.
pub(crate) fn threads_elsewhere() -> u64 {
    // SAFETY: asks who we are.
    let (me, uid) = (std::process::id(), unsafe { libc::getuid() });
    let threads = |pid: libc::pid_t| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_ascii_whitespace().next()?.parse().ok()
        };
        (field("Uid:")? == u64::from(uid))
            .then(|| field("Threads:"))
            .flatten()
    };
    let others = processes().into_iter().filter(|pid| *pid as u32 != me);
    others.filter_map(threads).sum()
}
