//! The numbers that options take.

use crate::Refusal;

/// Which numbers an option takes. What it does not say (blanks, hexadecimal digits, other signs) is not read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// The least.
    pub least: u64,
    /// The most.
    pub most: u64,
    /// Whether more than the most means the most.
    pub clamped: bool,
    /// Whether zeros before other digits are read here: to some programs they begin an octal number.
    pub zeros: bool,
    /// What may stand before the digits.
    pub signs: &'static [u8],
    /// What may stand behind them, and how many each stands for.
    pub units: &'static [(&'static str, u64)],
}

/// A number as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The sign before it.
    pub sign: Option<u8>,
    /// How many, the unit counted in.
    pub number: u64,
}

/// Any number, as `head -n` and others take it.
pub const ANY: Number = Number::between(0, u64::MAX);

impl Number {
    /// From `least` to `most`, without signs and units.
    pub const fn between(least: u64, most: u64) -> Number {
        Number {
            least,
            most,
            clamped: false,
            zeros: true,
            signs: b"",
            units: &[],
        }
    }

    /// The same, where more than the most means the most.
    pub const fn clamped(self) -> Number {
        Number {
            clamped: true,
            ..self
        }
    }

    /// The same, where zeros before other digits are left to the real program.
    pub const fn without_zeros(self) -> Number {
        Number {
            zeros: false,
            ..self
        }
    }

    /// The same, with one of these before the digits, or none.
    pub const fn signed(self, signs: &'static [u8]) -> Number {
        Number { signs, ..self }
    }

    /// The same, with one of these behind the digits, or none.
    pub const fn in_units(self, units: &'static [(&'static str, u64)]) -> Number {
        Number { units, ..self }
    }

    /// The number that `text` is.
    ///
    /// # Errors
    /// What is no number of this kind: the real program may complain of it, or know better.
    pub fn read(&self, text: &[u8]) -> Result<Count, Refusal> {
        let misread = || {
            let text = String::from_utf8_lossy(text);
            Refusal::UnknownOption(format!("not a number that is read here: {text}"))
        };
        let (sign, rest) = match text.split_first() {
            Some((sign, rest)) if self.signs.contains(sign) => (Some(*sign), rest),
            _ => (None, text),
        };
        let end = rest.iter().position(|b| !b.is_ascii_digit());
        let (digits, unit) = rest.split_at(end.unwrap_or(rest.len()));
        if digits.is_empty() || !self.zeros && digits.len() > 1 && digits[0] == b'0' {
            return Err(misread());
        }
        let unit = match unit {
            b"" => 1,
            unit => self
                .units
                .iter()
                .find(|(name, _)| name.as_bytes() == unit)
                .map(|(_, bytes)| *bytes)
                .ok_or_else(misread)?,
        };
        let more = |number: Option<u64>, digit: &u8| {
            let number = number?.checked_mul(10)?;
            number.checked_add(u64::from(digit - b'0'))
        };
        let number = digits.iter().fold(Some(0), more);
        let number = match number.and_then(|number| number.checked_mul(unit)) {
            Some(number) if number <= self.most => number,
            _ if self.clamped => self.most,
            _ => return Err(misread()),
        };
        match number < self.least {
            true => Err(misread()),
            false => Ok(Count { sign, number }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_within_their_bounds() {
        const PLAIN: Number = Number::between(1, 100);
        let read = |number: Number, text: &str| number.read(text.as_bytes()).ok();
        let plain = |number| Some(Count { sign: None, number });
        assert_eq!(read(PLAIN, "1"), plain(1));
        assert_eq!(read(PLAIN, "0100"), plain(100));
        for text in [
            "",
            "0",
            "101",
            "+1",
            "-1",
            " 1",
            "1 ",
            "0x1",
            "1k",
            "1.0",
            "1e1",
            "١",
            "18446744073709551617",
        ] {
            assert_eq!(read(PLAIN, text), None, "{text:?}");
        }
        assert_eq!(read(PLAIN.clamped(), "18446744073709551617"), plain(100));
        assert_eq!(read(PLAIN.without_zeros(), "0100"), None);
        let signed = Number::between(0, u64::MAX).signed(b"-");
        assert_eq!(
            read(signed, "-18446744073709551615"),
            Some(Count {
                sign: Some(b'-'),
                number: u64::MAX
            })
        );
        assert_eq!(read(signed, "--1"), None);
        let kilo = Number::between(0, u64::MAX).in_units(&[("K", 1024)]);
        assert_eq!(read(kilo, "3K"), plain(3072));
        assert_eq!(read(kilo, "3KB"), None);
        assert_eq!(read(kilo, "18014398509481984K"), None);
    }
}
