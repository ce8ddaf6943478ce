//! Times, sizes and modes as the GNU programs print them (TZ=UTC).

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// From this age on, in seconds, `ls -l` was seen to show the year (`tests/seen.rs` tries both sides of it).
const OLD: i64 = 15_778_476;

/// A time in seconds since the epoch by the calendar (gmtime_r(3)); `None` beyond the years that fit it.
fn calendar(seconds: i64) -> Option<libc::tm> {
    let mut parts = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both are valid for the call; gmtime_r fills what it was given, or returns null.
    unsafe {
        match libc::gmtime_r(&seconds, parts.as_mut_ptr()).is_null() {
            true => None,
            false => Some(parts.assume_init()),
        }
    }
}

/// `2026-11-20 23:48`.
fn minutes(t: &libc::tm) -> String {
    let year = i64::from(t.tm_year) + 1900;
    let (month, day, hour, minute) = (t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

/// `Nov 20 23:48`, or with the year where the time is not of the last half year. What has no date is shown in seconds.
pub fn recent_or_year(time: (i64, i64), now: (i64, i64)) -> String {
    let Some(t) = calendar(time.0) else {
        return time.0.to_string();
    };
    let (name, day) = (MONTHS[t.tm_mon as usize], t.tm_mday);
    let is_recent = time < now && now < (time.0.saturating_add(OLD), time.1);
    match is_recent {
        true => format!("{name} {day:>2} {:02}:{:02}", t.tm_hour, t.tm_min),
        false => format!("{name} {day:>2}  {}", i64::from(t.tm_year) + 1900),
    }
}

/// `2026-11-20 23:48`.
pub fn long_iso(time: (i64, i64)) -> String {
    calendar(time.0).map_or_else(|| time.0.to_string(), |t| minutes(&t))
}

/// `2026-11-20 23:48:53.161537015 +0000`.
pub fn full_iso(time: (i64, i64)) -> String {
    match calendar(time.0) {
        Some(t) => format!("{}:{:02}.{:09} +0000", minutes(&t), t.tm_sec, time.1),
        None => format!("{:>35}", time.0), // seen: as wide as others
    }
}

/// A size as `ls -h` prints it: powers of 1024, rounded up, one decimal below ten.
pub fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let mut unit = 1024u128;
    for letter in ["K", "M", "G", "T", "P", "E"] {
        let tenths = (u128::from(bytes) * 10).div_ceil(unit);
        if tenths < 100 {
            return format!("{}.{}{letter}", tenths / 10, tenths % 10);
        }
        let whole = u128::from(bytes).div_ceil(unit);
        if whole < 1024 {
            return format!("{whole}{letter}");
        }
        unit *= 1024;
    }
    bytes.to_string()
}

/// `drwxr-xr-x`.
pub fn mode(mode: u32) -> String {
    let kind = match mode & libc::S_IFMT {
        libc::S_IFDIR => 'd',
        libc::S_IFLNK => 'l',
        libc::S_IFIFO => 'p',
        libc::S_IFSOCK => 's',
        libc::S_IFCHR => 'c',
        libc::S_IFBLK => 'b',
        _ => '-',
    };
    let mut text = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        assert_eq!(long_iso((0, 0)), "1970-01-01 00:00");
        assert_eq!(long_iso((19_782 * 86_400, 0)), "2024-02-29 00:00");
        assert_eq!(full_iso((-1, 5)), "1969-12-31 23:59:59.000000005 +0000");
        assert_eq!(long_iso((99_999_999_999_999_999, 0)), "99999999999999999");
    }

    #[test]
    fn sizes_round_up() {
        let shown: Vec<String> = [1023, 1024, 1025, 10_239, 10_240, 1_048_575, 1_048_576]
            .map(human)
            .to_vec();
        assert_eq!(
            shown,
            ["1023", "1.0K", "1.1K", "10K", "10K", "1.0M", "1.0M"]
        );
    }

    #[test]
    fn modes_show_their_special_bits() {
        assert_eq!(mode(0o041777), "drwxrwxrwt");
        assert_eq!(mode(0o104644), "-rwSr--r--");
    }
}
