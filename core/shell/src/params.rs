//! `$name` and `${…}`.

use brush_parser::word::{
    Parameter, ParameterExpr as E, ParameterTestType, SpecialParameter, SubstringMatchKind,
};
use curserve_text::fnmatch::Pattern;
use curserve_tools::Watch;

use crate::state::{Name, Shell, Value};
use crate::streams::Io;
use crate::Refusal;

fn refuse<T>(what: &str) -> Result<T, Refusal> {
    Err(Refusal::new(format!("an expansion not known here: {what}")))
}

impl Shell<'_> {
    /// The value of an expansion; `None` is unset, which expands to nothing.
    ///
    /// # Errors
    /// Where the expansion is not known here, or complains.
    pub fn parameter(&mut self, expr: &E, io: &Io) -> Result<Option<Vec<u8>>, Refusal> {
        match expr {
            E::Parameter {
                parameter,
                indirect: false,
            } => Ok(self.value_of(parameter)?.map(|value| value.to_vec())),
            E::UseDefaultValues {
                parameter,
                indirect: false,
                test_type,
                default_value,
            } => {
                let value = self.tested(parameter)?;
                if is_missing(&value, test_type) {
                    self.operand(default_value, io).map(Some)
                } else {
                    Ok(value.map(|value| value.to_vec()))
                }
            }
            E::AssignDefaultValues {
                parameter: Parameter::Named(name),
                indirect: false,
                test_type,
                default_value,
            } => {
                let value = self.get(name)?;
                if !is_missing(&value, test_type) {
                    return Ok(value.map(|value| value.to_vec()));
                }
                let value = self.operand(default_value, io)?;
                self.set(name, Some(value.clone()))?;
                Ok(Some(value))
            }
            E::UseAlternativeValue {
                parameter,
                indirect: false,
                test_type,
                alternative_value,
            } => {
                let value = self.tested(parameter)?;
                if is_missing(&value, test_type) {
                    Ok(None)
                } else {
                    self.operand(alternative_value, io).map(Some)
                }
            }
            E::ParameterLength {
                parameter,
                indirect: false,
            } => {
                let value = self.value_of(parameter)?;
                match std::str::from_utf8(value.as_deref().unwrap_or_default()) {
                    Ok(text) => Ok(Some(text.chars().count().to_string().into_bytes())),
                    Err(_) => refuse("the length of what is not UTF-8"),
                }
            }
            E::RemoveSmallestSuffixPattern {
                parameter,
                indirect: false,
                pattern,
            } => self.cut(parameter, pattern, io, Cut::Suffix, false),
            E::RemoveLargestSuffixPattern {
                parameter,
                indirect: false,
                pattern,
            } => self.cut(parameter, pattern, io, Cut::Suffix, true),
            E::RemoveSmallestPrefixPattern {
                parameter,
                indirect: false,
                pattern,
            } => self.cut(parameter, pattern, io, Cut::Prefix, false),
            E::RemoveLargestPrefixPattern {
                parameter,
                indirect: false,
                pattern,
            } => self.cut(parameter, pattern, io, Cut::Prefix, true),
            E::Substring {
                parameter,
                indirect: false,
                offset,
                length,
            } => {
                if length.is_none() && offset.value.trim().is_empty() {
                    return refuse("a substring from nowhere");
                }
                if self.tested(parameter)?.is_none() {
                    return Ok(None); // the rest is not expanded
                }
                let value = self.ascii(parameter)?;
                let len = value.len() as i64;
                let mut number = |text: &str| -> Result<i64, Refusal> {
                    let text = self.arithmetic_text(text, io)?;
                    self.arithmetic(&text)
                };
                let start = number(&offset.value)?;
                let start = if start < 0 { len + start } else { start };
                if !(0..=len).contains(&start) {
                    return Ok(Some(Vec::new()));
                }
                let end = match length {
                    None => len,
                    Some(length) => match number(&length.value)? {
                        n if n < 0 => len + n,
                        n => start.saturating_add(n).min(len),
                    },
                };
                if end < start {
                    return refuse("a substring that ends before it starts");
                }
                Ok(Some(value[start as usize..end as usize].to_vec()))
            }
            E::ReplaceSubstring {
                parameter,
                indirect: false,
                pattern,
                replacement,
                match_kind,
            } => {
                if self.tested(parameter)?.is_none() {
                    return Ok(None);
                }
                let value = self.ascii(parameter)?;
                let pattern = self.pattern(pattern, io)?;
                let compiled = Pattern::of_bash(&pattern, false)?;
                let with = self.operand(replacement, io)?;
                // bash 5.2 reads & in the replacement as the match.
                let Some(needle) = compiled.literal() else {
                    return refuse("a replacement by pattern");
                };
                if with.contains(&b'&') || with.contains(&b'\\') || needle.is_empty() {
                    return refuse("a replacement with & or \\");
                }
                let most = match match_kind {
                    SubstringMatchKind::FirstOccurrence => 1,
                    SubstringMatchKind::Anywhere => usize::MAX,
                    _ => return refuse("a replacement at an end"),
                };
                let mut out = Vec::new();
                let mut from = 0;
                let mut watch = self.watch;
                for at in memchr::memmem::find_iter(&value, needle).take(most) {
                    watch.pass(at - from + with.len())?;
                    if out.len() > self.limits.output {
                        return refuse("a value that grows very long");
                    }
                    out.extend_from_slice(&value[from..at]);
                    out.extend_from_slice(&with);
                    from = at + needle.len();
                }
                out.extend_from_slice(&value[from..]);
                Ok(Some(out))
            }
            E::UppercasePattern {
                parameter,
                indirect: false,
                pattern,
            } if no_pattern(pattern) => Ok(Some(self.ascii(parameter)?.to_ascii_uppercase())),
            E::LowercasePattern {
                parameter,
                indirect: false,
                pattern,
            } if no_pattern(pattern) => Ok(Some(self.ascii(parameter)?.to_ascii_lowercase())),
            E::Parameter { indirect: true, .. }
            | E::UseDefaultValues { indirect: true, .. }
            | E::UseAlternativeValue { indirect: true, .. }
            | E::ParameterLength { indirect: true, .. }
            | E::RemoveSmallestSuffixPattern { indirect: true, .. }
            | E::RemoveLargestSuffixPattern { indirect: true, .. }
            | E::RemoveSmallestPrefixPattern { indirect: true, .. }
            | E::RemoveLargestPrefixPattern { indirect: true, .. }
            | E::Substring { indirect: true, .. }
            | E::ReplaceSubstring { indirect: true, .. }
            | E::AssignDefaultValues { .. }
            | E::IndicateErrorIfNullOrUnset { .. }
            | E::Transform { .. }
            | E::UppercaseFirstChar { .. }
            | E::UppercasePattern { .. }
            | E::LowercaseFirstChar { .. }
            | E::LowercasePattern { .. }
            | E::VariableNames { .. }
            | E::MemberKeys { .. } => refuse("its operator"),
        }
    }

    /// A parameter that a word stands beside: `${#-x}` and its like are read in more than one way.
    fn tested(&self, parameter: &Parameter) -> Result<Option<Value>, Refusal> {
        match parameter {
            Parameter::Named(_) | Parameter::Positional(_) => self.value_of(parameter),
            Parameter::Special(_)
            | Parameter::NamedWithIndex { .. }
            | Parameter::NamedWithAllIndices { .. } => refuse("an operator of a special parameter"),
        }
    }

    fn value_of(&self, parameter: &Parameter) -> Result<Option<Value>, Refusal> {
        match parameter {
            Parameter::Named(name) => self.get(name),
            // `bash -c COMMAND` has no positional parameters.
            Parameter::Positional(_) => Ok(None),
            Parameter::Special(SpecialParameter::LastExitStatus) if self.lasting => {
                Err(Refusal::new("$? of a shell that lasts"))
            }
            Parameter::Special(SpecialParameter::LastExitStatus) => {
                Ok(Some(self.vars.status.to_string().into_bytes().into()))
            }
            Parameter::Special(SpecialParameter::PositionalParameterCount) => {
                Ok(Some(b"0".to_vec().into()))
            }
            Parameter::Special(SpecialParameter::ShellName) => match &self.name {
                Name::Bash(name) => Ok(Some(name.as_bytes().to_vec().into())),
                Name::Another => refuse("$0 of another shell"),
            },
            Parameter::Special(
                SpecialParameter::AllPositionalParameters { .. }
                | SpecialParameter::CurrentOptionFlags
                | SpecialParameter::ProcessId
                | SpecialParameter::LastBackgroundProcessId,
            )
            | Parameter::NamedWithIndex { .. }
            | Parameter::NamedWithAllIndices { .. } => refuse(&parameter.to_string()),
        }
    }

    fn operand(&mut self, word: &Option<String>, io: &Io) -> Result<Vec<u8>, Refusal> {
        match word {
            None => Ok(Vec::new()),
            // Quotes within `${…}` mean one thing or another by what stands around it.
            Some(w) if w.contains(['\'', '"', '\\', '~', '*', '?', '[', '<', '>']) => {
                refuse("quotes, globs or processes within ${…}")
            }
            Some(w) => self.single(w, io),
        }
    }

    fn ascii(&self, parameter: &Parameter) -> Result<Value, Refusal> {
        let value = self.tested(parameter)?;
        let value = value.unwrap_or_else(|| Vec::new().into());
        if value.is_ascii() {
            Ok(value)
        } else {
            refuse("characters beyond ASCII")
        }
    }

    /// `value` without the beginning or the end that matches `pattern`; the longest that does, or the shortest.
    fn cut(
        &mut self,
        parameter: &Parameter,
        pattern: &Option<String>,
        io: &Io,
        cut: Cut,
        longest: bool,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let value = self.ascii(parameter)?;
        if value.is_empty() {
            return Ok(Some(Vec::new())); // the pattern is not expanded
        }
        let pattern = match pattern {
            None => Vec::new(),
            Some(p) => self.pattern(p, io)?,
        };
        let compiled = Pattern::of_bash(&pattern, false)?;
        let mut watch = Watch::new(self.limits.deadline);
        for length in 0..=value.len() {
            let length = if longest {
                value.len() - length
            } else {
                length
            };
            let (matched, rest) = match cut {
                Cut::Prefix => value.split_at(length),
                Cut::Suffix => {
                    let (rest, matched) = value.split_at(value.len() - length);
                    (matched, rest)
                }
            };
            watch.pass(matched.len())?;
            if compiled.matches(matched)? {
                return Ok(Some(rest.to_vec()));
            }
        }
        Ok(Some(value.to_vec()))
    }
}

/// Which end of a value is cut off.
#[derive(Clone, Copy)]
enum Cut {
    Prefix,
    Suffix,
}

fn is_missing(value: &Option<Value>, test: &ParameterTestType) -> bool {
    match (value, test) {
        (None, _) => true,
        (Some(v), ParameterTestType::UnsetOrNull) => v.is_empty(),
        (Some(_), ParameterTestType::Unset) => false,
    }
}

fn no_pattern(pattern: &Option<String>) -> bool {
    pattern.as_deref().unwrap_or("").is_empty()
}
