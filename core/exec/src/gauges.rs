//! How much memory is left: of the machine, and of every control group around this session.
//!
//! From inside the sandbox none of the groups can be seen, so whoever starts a worker hands it their files open.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;

/// Share of a limit that must stay available.
const FLOOR: f64 = 0.04;
/// Of small limits more must stay: it is gone between two looks.
const LEAST_FLOOR: u64 = 64 << 20;

/// A control group's limit in bytes, and the open files that tell what is used of it, and what could be given back.
#[derive(Debug)]
pub struct Gauge {
    limit: u64,
    usage: File,
    stat: File,
}

impl Gauge {
    /// From `LIMIT,USAGE_FD,STAT_FD`; None where it is not that. The descriptors are this process's from then on.
    pub fn parse(word: &str) -> Option<Self> {
        let mut parts = word.split(',');
        let limit = parts.next()?.parse().ok()?;
        let mut fd = || adopt(parts.next()?.parse().ok()?);
        let (usage, stat) = (fd()?, fd()?);
        parts
            .next()
            .is_none()
            .then_some(Gauge { limit, usage, stat })
    }

    fn left(&self) -> Option<u64> {
        let used: u64 = text(&self.usage, &mut [0; 64])?.trim().parse().ok()?;
        let left = self.limit.saturating_sub(used);
        if left > self.limit / 2 {
            return Some(left);
        }
        let mut buffer = [0; 16 << 10];
        let stat = text(&self.stat, &mut buffer)?;
        // v1 tells its own share first, and then that of all groups below.
        let total = if stat.contains("\ntotal_cache ") {
            "total_"
        } else {
            ""
        };
        let cached = |name: &str| number(stat, &format!("{total}{name} ")).unwrap_or(0);
        Some(left + cached("inactive_file") + cached("active_file"))
    }
}

/// Makes the inherited descriptor `fd` ours; commands do not get it. None where it is not open.
pub fn adopt(fd: RawFd) -> Option<File> {
    // SAFETY: sets a flag, or fails on what is not open.
    if fd < 3 || unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } != 0 {
        return None;
    }
    // SAFETY: it is open, and that it is ours alone is what passing its number means.
    Some(unsafe { OwnedFd::from_raw_fd(fd) }.into())
}

/// All that tells about memory.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Of the control groups around this session, and of its own.
    pub groups: Vec<Gauge>,
    /// Counts what the kernel ended in the session's own group; without one, the session is added up process by process.
    pub kills: Option<File>,
}

impl Gauges {
    /// What must stay open.
    pub fn descriptors(&self) -> Vec<RawFd> {
        let groups = self
            .groups
            .iter()
            .flat_map(|group| [&group.usage, &group.stat]);
        groups.chain(&self.kills).map(AsRawFd::as_raw_fd).collect()
    }

    /// Bytes that are left above the floor, of what is scarcest, and what that is; None where there are none.
    ///
    /// # Errors
    /// What is scarcest, where none is left of it.
    pub fn left(&self) -> Result<u64, String> {
        let mut least = u64::MAX;
        let machine = machine().map(|(left, total)| (left, total, "the machine's"));
        let groups = self.groups.iter().filter_map(|group| {
            let left = group.left()?;
            Some((left, group.limit, "the control group's"))
        });
        for (left, limit, whose) in machine.into_iter().chain(groups) {
            let floor = (limit as f64 * FLOOR) as u64;
            let floor = floor.max(LEAST_FLOOR.min(limit / 8));
            if left < floor {
                let (left, limit) = (left >> 20, limit >> 20);
                return Err(format!(
                    "{whose} memory ran low ({left} of {limit} MiB left)"
                ));
            }
            least = least.min(left - floor);
        }
        Ok(least)
    }

    /// How many processes the kernel has ended for want of memory.
    pub fn kills(&self) -> u64 {
        let count = |file| number(text(file, &mut [0; 512])?, "oom_kill ");
        self.kills.as_ref().and_then(count).unwrap_or(0)
    }
}

/// The machine's available and total memory, in bytes.
fn machine() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name| number(&text, name).map(|kib| kib << 10);
    Some((field("MemAvailable:")?, field("MemTotal:")?))
}

fn text<'b>(file: &File, buffer: &'b mut [u8]) -> Option<&'b str> {
    let n = file.read_at(buffer, 0).ok()?;
    std::str::from_utf8(&buffer[..n]).ok()
}

/// The number behind `name` at the beginning of a line.
fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::IntoRawFd;

    use super::*;

    fn file(text: &str) -> RawFd {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.into_raw_fd()
    }

    fn left(limit: u64, usage: &str, stat: &str) -> Option<u64> {
        let word = format!("{limit},{},{}", file(usage), file(stat));
        Gauge::parse(&word).unwrap().left()
    }

    #[test]
    fn files_that_are_only_cached_count_as_free() {
        let v2 = "anon 5\nfile 9\ninactive_file 30\nactive_file 4\n";
        assert_eq!(left(100, "90\n", v2), Some(44));
        let v1 = "cache 9\ninactive_file 1\ntotal_cache 9\ntotal_inactive_file 30\ntotal_active_file 5\n";
        assert_eq!(left(100, "90\n", v1), Some(45));
        assert_eq!(left(100, "120\n", "anon 5\n"), Some(0));
        assert_eq!(left(100, "", ""), None);
    }

    #[test]
    fn what_runs_low_is_told() {
        let word = format!(
            "{},{},{}",
            700 << 20,
            file(&(690 << 20).to_string()),
            file("anon 0\n")
        );
        let gauges = Gauges {
            groups: vec![Gauge::parse(&word).unwrap()],
            kills: adopt(file("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n")),
        };
        let said = gauges.left().unwrap_err();
        assert!(said.contains("10 of 700 MiB"), "{said}");
        assert_eq!(gauges.kills(), 7);
        assert!(Gauges::default().left().is_ok());
    }

    #[test]
    fn what_is_no_gauge_is_none() {
        for word in ["", "1", "1,2", "1,2,3,4", "x,3,4", "5,9999,9998", "5,0,1"] {
            assert!(Gauge::parse(word).is_none(), "{word}");
        }
    }
}
