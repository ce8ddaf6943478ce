//! `[[ … ]]`: the conditional expression, whose words are not split.

use brush_parser::ast::{BinaryPredicate, ExtendedTestExpr, UnaryPredicate};
use curserve_text::fnmatch::Pattern;

use crate::state::Shell;
use crate::streams::Io;
use crate::Refusal;

impl Shell<'_> {
    /// Whether `expr` holds.
    pub(crate) fn extended_test(
        &mut self,
        expr: &ExtendedTestExpr,
        io: &Io,
    ) -> Result<bool, Refusal> {
        self.depth += 1;
        if self.depth > 50 {
            return Err(Refusal::new("[[ ]] nested too deeply"));
        }
        Ok(match expr {
            ExtendedTestExpr::And(a, b) => {
                self.extended_test(a, io)? && self.extended_test(b, io)?
            }
            ExtendedTestExpr::Or(a, b) => {
                self.extended_test(a, io)? || self.extended_test(b, io)?
            }
            ExtendedTestExpr::Not(a) => !self.extended_test(a, io)?,
            ExtendedTestExpr::Parenthesized(a) => self.extended_test(a, io)?,
            ExtendedTestExpr::UnaryTest(op, word) => {
                let value = self.single(&word.value, io)?;
                self.file_test(unary(op)?, &value)?
            }
            ExtendedTestExpr::BinaryTest(op, a, b) => {
                let left = self.single(&a.value, io)?;
                let how: &[u8] = match op {
                    BinaryPredicate::StringExactlyMatchesPattern
                    | BinaryPredicate::StringDoesNotExactlyMatchPattern => {
                        let pattern = self.pattern(&b.value, io)?;
                        if pattern.contains(&b'(') {
                            // Here `@(a|b)` is a pattern, also where a variable brought it in.
                            return Err(Refusal::new("parentheses in a pattern of [[ ]]"));
                        }
                        let matched = Pattern::of_bash(&pattern, false)?.matches(&left)?;
                        return Ok(
                            matched == matches!(op, BinaryPredicate::StringExactlyMatchesPattern)
                        );
                    }
                    BinaryPredicate::ArithmeticEqualTo => b"-eq",
                    BinaryPredicate::ArithmeticNotEqualTo => b"-ne",
                    BinaryPredicate::ArithmeticLessThan => b"-lt",
                    BinaryPredicate::ArithmeticLessThanOrEqualTo => b"-le",
                    BinaryPredicate::ArithmeticGreaterThan => b"-gt",
                    BinaryPredicate::ArithmeticGreaterThanOrEqualTo => b"-ge",
                    BinaryPredicate::LeftSortsBeforeRight => b"<",
                    BinaryPredicate::LeftSortsAfterRight => b">",
                    BinaryPredicate::FilesReferToSameDeviceAndInodeNumbers
                    | BinaryPredicate::LeftFileIsNewerOrExistsWhenRightDoesNot
                    | BinaryPredicate::LeftFileIsOlderOrDoesNotExistWhenRightDoes
                    | BinaryPredicate::StringMatchesRegex
                    | BinaryPredicate::StringExactlyMatchesString
                    | BinaryPredicate::StringDoesNotExactlyMatchString
                    | BinaryPredicate::StringContainsSubstring => return Err(odd()),
                };
                let right = self.single(&b.value, io)?;
                if how.starts_with(b"-") && [&left, &right].iter().any(|side| is_octal(side)) {
                    return Err(Refusal::new("arithmetic on numbers of other bases"));
                }
                curserve_tools::test::compare(&left, how, &right)?.ok_or_else(odd)?
            }
        })
    }
}

fn odd() -> Refusal {
    Refusal::new("a test of [[ ]] not known here")
}

/// The name of a test that is known here.
fn unary(op: &UnaryPredicate) -> Result<&'static [u8], Refusal> {
    use UnaryPredicate as U;
    Ok(match op {
        U::FileExists => b"-e",
        U::FileExistsAndIsDir => b"-d",
        U::FileExistsAndIsRegularFile => b"-f",
        U::FileExistsAndIsReadable => b"-r",
        U::FileExistsAndIsNotZeroLength => b"-s",
        U::FileExistsAndIsWritable => b"-w",
        U::FileExistsAndIsExecutable => b"-x",
        U::FileExistsAndIsSymlink => b"-L",
        U::StringHasZeroLength => b"-z",
        U::StringHasNonZeroLength => b"-n",
        U::FileExistsAndIsBlockSpecialFile
        | U::FileExistsAndIsCharSpecialFile
        | U::FileExistsAndIsSetgid
        | U::FileExistsAndHasStickyBit
        | U::FileExistsAndIsFifo
        | U::FdIsOpenTerminal
        | U::FileExistsAndIsSetuid
        | U::FileExistsAndOwnedByEffectiveGroupId
        | U::FileExistsAndModifiedSinceLastRead
        | U::FileExistsAndOwnedByEffectiveUserId
        | U::FileExistsAndIsSocket
        | U::ShellOptionEnabled
        | U::ShellVariableIsSetAndAssigned
        | U::ShellVariableIsSetAndNameRef => return Err(odd()),
    })
}

/// Whether a number begins with a zero, which arithmetic reads in base 8.
fn is_octal(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    digits.len() > 1 && digits[0] == b'0'
}
