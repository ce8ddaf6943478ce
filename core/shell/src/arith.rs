//! Arithmetic, in 64 bits, as bash's.

use brush_parser::ast::UnaryOperator;
use brush_parser::ast::{
    ArithmeticExpr as A, ArithmeticTarget, BinaryOperator as B, UnaryAssignmentOperator as U,
};

use crate::state::Shell;
use crate::{syntax, Refusal};

impl Shell<'_> {
    /// Evaluates an expression whose `$…` have been expanded.
    ///
    /// # Errors
    /// Where it does not parse, overflows, divides by zero, or names what is no number.
    pub fn arithmetic(&mut self, text: &str) -> Result<i64, Refusal> {
        // A number with a leading zero is octal in bash; brush-parser takes an 8 for one of its digits.
        let other = |w: &[u8]| {
            let number = w.first().is_some_and(u8::is_ascii_digit);
            number && w.len() > 1 && (w[0] == b'0' || !w.iter().all(u8::is_ascii_digit))
        };
        let control = |b: u8| b < b' ' && !matches!(b, b'\t' | b'\n');
        if text
            .as_bytes()
            .split(|b| !b.is_ascii_alphanumeric() && *b != b'_')
            .any(other)
            || text.bytes().any(control)
            || text.contains(['#', '\'', '"', '\\'])
        {
            return Err(Refusal::new("arithmetic on numbers of other bases"));
        }
        if !steps_are_clear(text) {
            return Err(Refusal::new(
                "++ or -- beside other signs, or between names",
            ));
        }
        let expr = syntax::arithmetic(text)?;
        if assigns_within(&expr) {
            return Err(Refusal::new("an assignment within arithmetic"));
        }
        self.value(&expr, 0)
    }

    fn value(&mut self, expr: &A, depth: u32) -> Result<i64, Refusal> {
        if depth > 60 {
            return Err(Refusal::new("arithmetic nested too deeply"));
        }
        Ok(match expr {
            A::Literal(n) => *n,
            A::Reference(target) => self.read(target)?,
            A::UnaryOp(op, x) => {
                let x = self.value(x, depth + 1)?;
                match op {
                    UnaryOperator::UnaryPlus => x,
                    UnaryOperator::UnaryMinus => x.wrapping_neg(),
                    UnaryOperator::BitwiseNot => !x,
                    UnaryOperator::LogicalNot => i64::from(x == 0),
                }
            }
            A::BinaryOp(op @ (B::LogicalAnd | B::LogicalOr), x, y) => {
                let x = self.value(x, depth + 1)? != 0;
                if x == matches!(op, B::LogicalOr) {
                    passed_over(y)?;
                    i64::from(x)
                } else {
                    i64::from(self.value(y, depth + 1)? != 0)
                }
            }
            A::BinaryOp(op, x, y) => {
                let (x, y) = (self.value(x, depth + 1)?, self.value(y, depth + 1)?);
                combine(op, x, y)?
            }
            A::Conditional(c, x, y) => {
                let (taken, other) = if self.value(c, depth + 1)? != 0 {
                    (x, y)
                } else {
                    (y, x)
                };
                passed_over(other)?;
                self.value(taken, depth + 1)?
            }
            A::Assignment(target, x) => {
                let x = self.value(x, depth + 1)?;
                self.assign(target, x)?
            }
            A::BinaryAssignment(op, target, x) => {
                let (old, x) = (self.read(target)?, self.value(x, depth + 1)?);
                let new = combine(op, old, x)?;
                self.assign(target, new)?
            }
            A::UnaryAssignment(op, target) => {
                let old = self.read(target)?;
                let new = match op {
                    U::PrefixIncrement | U::PostfixIncrement => old.wrapping_add(1),
                    U::PrefixDecrement | U::PostfixDecrement => old.wrapping_sub(1),
                };
                self.assign(target, new)?;
                if matches!(op, U::PrefixIncrement | U::PrefixDecrement) {
                    new
                } else {
                    old
                }
            }
        })
    }

    fn read(&self, target: &ArithmeticTarget) -> Result<i64, Refusal> {
        let ArithmeticTarget::Variable(name) = target else {
            return Err(Refusal::new("an array in arithmetic"));
        };
        let Some(value) = self.get(name)?.filter(|value| !value.is_empty()) else {
            return Ok(0);
        };
        let text = std::str::from_utf8(&value).unwrap_or("?");
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits.bytes().all(|b| b.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        let number = text.parse().ok().filter(|_| plain);
        number.ok_or_else(|| Refusal::new("arithmetic on a variable that is no plain number"))
    }

    fn assign(&mut self, target: &ArithmeticTarget, value: i64) -> Result<i64, Refusal> {
        let ArithmeticTarget::Variable(name) = target else {
            return Err(Refusal::new("an array in arithmetic"));
        };
        self.set(name, Some(value.to_string().into_bytes()))?;
        Ok(value)
    }
}

/// Whether each `++` and `--` stands before or behind one name, and beside no other sign: else bash takes it apart in ways
/// of its own.
fn steps_are_clear(text: &str) -> bool {
    let bytes = text.as_bytes();
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let sign = |b: &u8| matches!(b, b'+' | b'-');
    memchr::memchr2_iter(b'+', b'-', bytes).all(|at| {
        if bytes.get(at + 1) != Some(&bytes[at]) {
            return true;
        }
        let blank = |b: &&u8| !b.is_ascii_whitespace();
        let before = bytes[..at].iter().rev().find(blank);
        let after = bytes[at + 2..].iter().find(blank);
        let alone = !before.is_some_and(sign) && !after.is_some_and(sign);
        // A name's first character: a number's is no letter.
        let name_before = before.is_some_and(word) && {
            let name = bytes[..at].trim_ascii_end();
            let start = name.iter().rposition(|b| !word(b)).map_or(0, |i| i + 1);
            !name[start].is_ascii_digit()
        };
        let name_after = after.is_some_and(|b| word(b) && !b.is_ascii_digit());
        let beside_one = before.is_some_and(word) != after.is_some_and(word);
        alone
            && beside_one
            && (name_before || name_after)
            && before.is_none_or(|b| *b != b')')
            && after.is_none_or(|b| *b != b'(')
    })
}

/// Whether an assignment is an operand, also where it is not evaluated. Without parentheses, which the parser does not tell,
/// bash takes all that stands before the `=` for its target, and complains.
fn assigns_within(expr: &A) -> bool {
    let operands: [Option<&A>; 2] = match expr {
        A::BinaryOp(B::Comma, x, y) => return assigns_within(x) || assigns_within(y),
        A::Conditional(c, x, y) if !assigns_within(x) => [Some(c), Some(y)],
        A::Conditional(..) => return true,
        A::BinaryOp(_, x, y) => [Some(x), Some(y)],
        A::UnaryOp(_, x) => [Some(x), None],
        A::Assignment(_, x) | A::BinaryAssignment(_, _, x) => return assigns_within(x),
        A::Literal(_) | A::Reference(_) | A::UnaryAssignment(..) => [None, None],
    };
    let assigns = |x: &A| matches!(x, A::Assignment(..) | A::BinaryAssignment(..));
    let mut operands = operands.into_iter().flatten();
    operands.any(|x| assigns(x) || assigns_within(x))
}

/// Refuses a part that bash does not evaluate and complains of all the same: a power whose exponent may be negative. (A
/// division by zero or a name that is no number is passed over.)
fn passed_over(expr: &A) -> Result<(), Refusal> {
    match expr {
        A::BinaryOp(B::Power, x, y) => match **y {
            A::Literal(n) if n >= 0 => passed_over(x),
            _ => Err(Refusal::new("a power that is not evaluated")),
        },
        A::BinaryOp(_, x, y) => passed_over(x).and_then(|()| passed_over(y)),
        A::UnaryOp(_, x) | A::Assignment(_, x) | A::BinaryAssignment(_, _, x) => passed_over(x),
        A::Conditional(c, x, y) => [c, x, y].into_iter().try_for_each(|x| passed_over(x)),
        A::Literal(_) | A::Reference(_) | A::UnaryAssignment(..) => Ok(()),
    }
}

fn combine(op: &B, x: i64, y: i64) -> Result<i64, Refusal> {
    let odd = || Refusal::new("arithmetic that fails");
    Ok(match op {
        B::Power => {
            let power = u32::try_from(y).map_err(|_| odd())?;
            x.wrapping_pow(power)
        }
        B::Multiply => x.wrapping_mul(y),
        B::Divide => x.checked_div(y).ok_or_else(odd)?,
        B::Modulo => x.checked_rem(y).ok_or_else(odd)?,
        B::Comma => y,
        B::Add => x.wrapping_add(y),
        B::Subtract => x.wrapping_sub(y),
        B::ShiftLeft if (0..64).contains(&y) => x << y,
        B::ShiftRight if (0..64).contains(&y) => x >> y,
        B::ShiftLeft | B::ShiftRight => return Err(odd()),
        B::LessThan => i64::from(x < y),
        B::LessThanOrEqualTo => i64::from(x <= y),
        B::GreaterThan => i64::from(x > y),
        B::GreaterThanOrEqualTo => i64::from(x >= y),
        B::Equals => i64::from(x == y),
        B::NotEquals => i64::from(x != y),
        B::BitwiseAnd => x & y,
        B::BitwiseXor => x ^ y,
        B::BitwiseOr => x | y,
        B::LogicalAnd => i64::from(x != 0 && y != 0),
        B::LogicalOr => i64::from(x != 0 || y != 0),
    })
}
