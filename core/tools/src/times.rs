//! Times, sizes and modes as the GNU programs print them (TZ=UTC).

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Half of a Gregorian year in seconds: how old `ls` calls recent.
const HALF_YEAR: i64 = 31_556_952 / 2;

/// Year, month from 1, day from 1, of days since the epoch (Howard Hinnant's civil_from_days).
pub fn civil(days: i64) -> (i64, usize, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (
        yoe + era * 400 + i64::from(month <= 2),
        month as usize,
        doy - (153 * mp + 2) / 5 + 1,
    )
}

fn clock(seconds: i64) -> (i64, i64, i64) {
    let s = seconds.rem_euclid(86_400);
    (s / 3600, s / 60 % 60, s % 60)
}

/// `Nov 20 23:48`, or with the year where the time is not of the last half year.
pub fn recent_or_year(time: (i64, i64), now: (i64, i64)) -> String {
    let (year, month, day) = civil(time.0.div_euclid(86_400));
    let name = MONTHS[month - 1];
    let recent = (now.0 - HALF_YEAR, now.1) < time && time < now;
    if recent {
        let (h, m, _) = clock(time.0);
        format!("{name} {day:>2} {h:02}:{m:02}")
    } else {
        format!("{name} {day:>2}  {year}")
    }
}

/// `2026-11-20 23:48`.
pub fn long_iso(time: (i64, i64)) -> String {
    let ((y, mo, d), (h, m, _)) = (civil(time.0.div_euclid(86_400)), clock(time.0));
    format!("{y:04}-{mo:02}-{d:02} {h:02}:{m:02}")
}

/// `2026-11-20 23:48:53.161537015 +0000`.
pub fn full_iso(time: (i64, i64)) -> String {
    let ((y, mo, d), (h, m, s)) = (civil(time.0.div_euclid(86_400)), clock(time.0));
    format!(
        "{y:04}-{mo:02}-{d:02} {h:02}:{m:02}:{s:02}.{:09} +0000",
        time.1
    )
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
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(-1), (1969, 12, 31));
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
