//! What expressions come to.

use std::cmp::Ordering;

use super::machine::{Machine, Stored};
use super::program::{Comparison, Expression, Function, Own, Place, Sum};
use super::refuse::refuse;
use super::split::Separator;
use super::value::Value;
use crate::{Call, Refusal};

impl Machine<'_> {
    pub(super) fn is_true(
        &mut self,
        call: &mut Call<'_>,
        expression: &Expression,
    ) -> Result<bool, Refusal> {
        match expression {
            Expression::Matches(None, matcher) => Ok(matcher.is_match(self.record)),
            other => self.value(call, other)?.is_true(),
        }
    }

    fn number(&mut self, call: &mut Call<'_>, expression: &Expression) -> Result<f64, Refusal> {
        self.value(call, expression)?.number()
    }

    pub(super) fn value(
        &mut self,
        call: &mut Call<'_>,
        expression: &Expression,
    ) -> Result<Value, Refusal> {
        let truth = |truth: bool| Ok(Value::Number(f64::from(u8::from(truth))));
        match expression {
            Expression::Number(number) => Ok(Value::Number(*number)),
            Expression::Text(text) => Ok(Value::Text(text.clone())),
            Expression::Matches(None, matcher) => truth(matcher.is_match(self.record)),
            Expression::Matches(Some(text), matcher) => {
                let text = self.value(call, text)?.text()?;
                truth(matcher.is_match(&text))
            }
            Expression::Own(Own::Record) => Ok(Value::Number(self.records as f64)),
            Expression::Own(Own::FileRecord) => Ok(Value::Number(self.file_records as f64)),
            Expression::Own(Own::Fields) => {
                let fields = self.fields()?.len();
                Ok(Value::Number(fields as f64))
            }
            Expression::At(place) => self.get(call, place),
            Expression::Field(index) => {
                let index = self.value(call, index)?.whole()?;
                self.field(index)
            }
            Expression::Assign(place, sum, value) => {
                let value = self.value(call, value)?;
                let value = match sum {
                    None => value,
                    Some(sum) => {
                        let before = self.get(call, place)?.number()?;
                        Value::Number(calculate(*sum, before, value.number()?)?)
                    }
                };
                self.set(call, place, value.clone())?;
                Ok(value)
            }
            Expression::Step(place, by, is_after) => {
                let before = self.get(call, place)?.number()?;
                self.set(call, place, Value::Number(before + by))?;
                Ok(Value::Number(if *is_after { before } else { before + by }))
            }
            Expression::Not(inner) => truth(!self.is_true(call, inner)?),
            Expression::Minus(inner) => Ok(Value::Number(0.0 - self.number(call, inner)?)),
            Expression::Calculate(sum, both) => {
                let (one, two) = (self.number(call, &both[0])?, self.number(call, &both[1])?);
                Ok(Value::Number(calculate(*sum, one, two)?))
            }
            Expression::Compare(comparison, both) => {
                let (one, two) = (self.value(call, &both[0])?, self.value(call, &both[1])?);
                truth(holds(*comparison, one.compare(&two)?))
            }
            Expression::And(both) => {
                truth(self.is_true(call, &both[0])? && self.is_true(call, &both[1])?)
            }
            Expression::Or(both) => {
                truth(self.is_true(call, &both[0])? || self.is_true(call, &both[1])?)
            }
            Expression::Choose(all) => match self.is_true(call, &all[0])? {
                true => self.value(call, &all[1]),
                false => self.value(call, &all[2]),
            },
            Expression::Join(both) => {
                let mut text = self.value(call, &both[0])?.text()?;
                text.extend(self.value(call, &both[1])?.text()?);
                self.watch.pass(text.len())?;
                Ok(Value::Text(text))
            }
            Expression::Call(function, arguments) => self.call(call, *function, arguments),
        }
    }

    fn call(
        &mut self,
        call: &mut Call<'_>,
        function: Function,
        arguments: &[Expression],
    ) -> Result<Value, Refusal> {
        let text = match arguments.first() {
            None => self.record.to_vec(),
            Some(_) if matches!(function, Function::Whole) => Vec::new(),
            Some(first) => self.value(call, first)?.text()?,
        };
        Ok(match function {
            Function::Length => Value::Number(text.len() as f64),
            Function::Lower => Value::Text(text.to_ascii_lowercase()),
            Function::Upper => Value::Text(text.to_ascii_uppercase()),
            Function::Whole => Value::Number(self.number(call, &arguments[0])?.trunc()),
            Function::Index => {
                let needle = self.value(call, &arguments[1])?.text()?;
                if needle.is_empty() {
                    return refuse("an index of nothing");
                }
                let at = memchr::memmem::find(&text, &needle).map_or(0, |at| at + 1);
                Value::Number(at as f64)
            }
            Function::Substring => {
                let from = self.value(call, &arguments[1])?.whole()?;
                let length = match arguments.get(2) {
                    None => i64::MAX,
                    Some(length) => self.value(call, length)?.whole()?,
                };
                if from < 1 || length < 0 {
                    return refuse(
                        "a part that begins before its text, or is shorter than nothing",
                    );
                }
                let from = ((from - 1) as usize).min(text.len());
                let length = usize::try_from(length)
                    .unwrap_or(usize::MAX)
                    .min(text.len() - from);
                Value::Text(text[from..from + length].to_vec())
            }
        })
    }

    fn get(&mut self, call: &mut Call<'_>, place: &Place) -> Result<Value, Refusal> {
        match place {
            Place::OutputSeparator => Ok(Value::Text(self.output_separator.clone())),
            Place::FieldSeparator => Ok(Value::Text(self.separator_text.clone())),
            Place::Variable(at) => match &self.stored[*at] {
                Stored::Variable(value) => Ok(value.clone()),
                Stored::Array(_) => refuse("an array as a variable"),
            },
            Place::Element(at, index) => {
                let index = self.value(call, index)?.text()?;
                match &self.stored[*at] {
                    Stored::Array(array) => Ok(array.get(&index).cloned().unwrap_or(Value::Unset)),
                    Stored::Variable(_) => refuse("a variable as an array"),
                }
            }
        }
    }

    fn set(&mut self, call: &mut Call<'_>, place: &Place, value: Value) -> Result<(), Refusal> {
        let size = match &value {
            Value::Text(text) | Value::Input(text) => text.len(),
            Value::Unset | Value::Number(_) => 0,
        };
        call.memory.take(size)?;
        match place {
            Place::OutputSeparator => self.output_separator = value.text()?,
            Place::FieldSeparator if self.begins => {
                self.separator_text = value.text()?;
                self.separator = Separator::of(&self.separator_text)?;
            }
            Place::FieldSeparator => return refuse("another separator amid the lines"),
            Place::Variable(at) => self.stored[*at] = Stored::Variable(value),
            Place::Element(at, index) => {
                let index = self.value(call, index)?.text()?;
                call.memory.take(index.len() + 64)?;
                match &mut self.stored[*at] {
                    Stored::Array(array) => drop(array.insert(index, value)),
                    Stored::Variable(_) => return refuse("a variable as an array"),
                }
            }
        }
        Ok(())
    }
}

fn calculate(sum: Sum, one: f64, two: f64) -> Result<f64, Refusal> {
    let number = match sum {
        Sum::Add => one + two,
        Sum::Subtract => one - two,
        Sum::Multiply => one * two,
        Sum::Divide => one / two,
        Sum::Remainder => one % two,
    };
    match number.is_finite() {
        true => Ok(number),
        false => refuse("a number without end, or none"),
    }
}

fn holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}
