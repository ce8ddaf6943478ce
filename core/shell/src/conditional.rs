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
                if matches!(
                    op,
                    UnaryPredicate::ShellVariableIsSetAndAssigned
                        | UnaryPredicate::FileExistsAndIsSymlink
                ) {
                    return Err(Refusal::new("a test of [[ ]] not known here"));
                }
                let name = op.to_string().into_bytes();
                self.file_test(&name, &value)?
            }
            ExtendedTestExpr::BinaryTest(op, a, b) => {
                let left = self.single(&a.value, io)?;
                let how: &[u8] = match op {
                    BinaryPredicate::StringExactlyMatchesPattern
                    | BinaryPredicate::StringDoesNotExactlyMatchPattern => {
                        let pattern = self.pattern(&b.value, io)?;
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
                    _ => return Err(Refusal::new("a test of [[ ]] not known here")),
                };
                let right = self.single(&b.value, io)?;
                let odd = || Refusal::new("a test of [[ ]] not known here");
                curserve_tools::test::compare(&left, how, &right)?.ok_or_else(odd)?
            }
        })
    }
}
