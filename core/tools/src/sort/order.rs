//! In which order two keys are: that of bytes (C.UTF-8 has no other), of letters without case (`-f`), of numbers (`-n`).

use std::cmp::Ordering;

use super::blanks::blanks;
use crate::Refusal;

/// An order, of a key or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    numeric: bool,
    fold: bool,
    pub(super) reverse: bool,
    /// Blanks do not count where the key starts.
    pub(super) start_blanks: bool,
    /// Blanks do not count where the key ends.
    pub(super) end_blanks: bool,
}

impl Order {
    /// Adds the letters of a key's half; whether `b` is among them.
    pub(super) fn add_all(&mut self, letters: &[u8]) -> Result<bool, Refusal> {
        let mut blanks = false;
        for letter in letters {
            match letter {
                b'b' => blanks = true,
                letter => self.add(*letter)?,
            }
        }
        Ok(blanks)
    }

    /// Adds the letter of an option.
    pub(super) fn add_global(&mut self, letter: u8) -> Result<(), Refusal> {
        match letter {
            b'b' => (self.start_blanks, self.end_blanks) = (true, true),
            letter => self.add(letter)?,
        }
        Ok(())
    }

    fn add(&mut self, letter: u8) -> Result<(), Refusal> {
        match letter {
            b'n' => self.numeric = true,
            b'f' => self.fold = true,
            b'r' => self.reverse = true,
            other => {
                return Err(Refusal::new(format!(
                    "the order {:?} of sort",
                    char::from(other)
                )))
            }
        }
        Ok(())
    }

    /// Which of two keys comes first.
    #[inline]
    pub(super) fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        let order = if self.numeric {
            Number::of(a).cmp(&Number::of(b))
        } else if self.fold {
            without_case(a, b)
        } else {
            a.cmp(b)
        };
        self.directed(order)
    }

    /// A number for a key: where two differ, their keys are in the same order, before it is reversed.
    #[inline]
    pub(super) fn rank(self, key: &[u8]) -> u64 {
        if self.numeric {
            return Number::of(key).rank();
        }
        let mut first = [0; 8];
        let length = key.len().min(first.len());
        first[..length].copy_from_slice(&key[..length]);
        if self.fold {
            first.make_ascii_uppercase();
        }
        u64::from_be_bytes(first)
    }

    /// This order of two keys, or the reverse.
    #[inline]
    pub(super) fn directed(self, order: Ordering) -> Ordering {
        match self.reverse {
            true => order.reverse(),
            false => order,
        }
    }
}

fn without_case(a: &[u8], b: &[u8]) -> Ordering {
    for (a, b) in a.iter().zip(b) {
        if a != b {
            let order = a.to_ascii_uppercase().cmp(&b.to_ascii_uppercase());
            if order != Ordering::Equal {
                return order;
            }
        }
    }
    a.len().cmp(&b.len())
}

/// The number that a key begins with, after blanks: a minus, digits, a point, digits, any of which may be missing.
#[derive(PartialEq, Eq)]
struct Number<'k> {
    negative: bool,
    /// Without zeros before it.
    whole: &'k [u8],
    /// Without zeros behind it.
    fraction: &'k [u8],
}

impl<'k> Number<'k> {
    #[inline]
    fn of(key: &'k [u8]) -> Number<'k> {
        let text = &key[blanks(key)..];
        let unsigned = text.strip_prefix(b"-").unwrap_or(text);
        let (whole, rest) = digits(unsigned);
        let fraction = rest
            .strip_prefix(b".")
            .map_or(&rest[..0], |rest| digits(rest).0);
        let zeros = whole.iter().take_while(|&&digit| digit == b'0').count();
        let kept = fraction.iter().rposition(|&digit| digit != b'0');
        let (whole, fraction) = (
            &whole[zeros..],
            &fraction[..kept.map_or(0, |last| last + 1)],
        );
        Number {
            // There is no negative zero.
            negative: unsigned.len() < text.len() && !(whole.is_empty() && fraction.is_empty()),
            whole,
            fraction,
        }
    }

    /// Its thousandths, as far as they fit.
    #[inline]
    fn rank(&self) -> u64 {
        const ZERO: u64 = 1 << 63;
        // More digits do not fit with three behind the point.
        if self.whole.len() > 15 {
            return if self.negative { 0 } else { u64::MAX };
        }
        let digit = |value: u64, digit: &u8| 10 * value + u64::from(digit - b'0');
        let thousandths = self.fraction.iter().chain(b"000").take(3);
        let size = self.whole.iter().chain(thousandths).fold(0, digit);
        match self.negative {
            true => ZERO - size,
            false => ZERO + size,
        }
    }

    /// Which is further from zero.
    fn size(&self, other: &Number<'_>) -> Ordering {
        let digits = self.whole.len().cmp(&other.whole.len());
        digits
            .then_with(|| self.whole.cmp(other.whole))
            .then_with(|| self.fraction.cmp(other.fraction))
    }
}

impl Ord for Number<'_> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.size(other),
            (true, true) => other.size(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The digits that `text` begins with, and what comes after them.
#[inline]
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length_are_compared_exactly() {
        let rising = [
            "-10",
            "-1.51",
            "-1.5",
            "-.5",
            "0",
            ".00000000000000000001",
            ".5",
            "1",
            "1.5",
            " 9",
            "10",
            "12345678901234567890123",
            "12345678901234567890124",
        ];
        for (at, a) in rising.iter().enumerate() {
            for (other, b) in rising.iter().enumerate() {
                let order = Number::of(a.as_bytes()).cmp(&Number::of(b.as_bytes()));
                assert_eq!(order, at.cmp(&other), "{a} {b}");
                let ranks = Number::of(a.as_bytes())
                    .rank()
                    .cmp(&Number::of(b.as_bytes()).rank());
                assert!(ranks == order || ranks == Ordering::Equal, "{a} {b}");
            }
        }
        for zero in ["", "-", "-0", "00.00", "x", "- 1", "+1", "--1", "."] {
            assert_eq!(
                Number::of(zero.as_bytes()).cmp(&Number::of(b"0")),
                Ordering::Equal
            );
        }
        assert_eq!(
            Number::of(b"1,000").cmp(&Number::of(b"1.0e3")),
            Ordering::Equal
        );
    }
}
