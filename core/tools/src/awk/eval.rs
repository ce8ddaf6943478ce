//! Runs rules on lines.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::program::{
    Comparison, Expression, Function, Name, Own, Place, Rule, Statement, Sum, When,
};
use super::refuse::refuse;
use super::split::Separator;
use super::value::Value;
use crate::{Call, Refusal, Watch};

/// A formatted text longer than this is refused.
const LONGEST_FORMATTED: usize = 4096;

/// How a rule ended.
enum Flow {
    On,
    Next,
    Exit,
}

/// A variable or an array.
enum Stored {
    Variable(Value),
    Array(HashMap<Vec<u8>, Value>),
}

/// What a program has in hand.
pub(super) struct Machine<'a> {
    stored: Vec<Stored>,
    names: HashMap<String, usize>,
    /// For each rule that is a range: it has begun.
    within: Vec<bool>,
    separator: Separator,
    separator_text: Vec<u8>,
    output_separator: Vec<u8>,
    record: &'a [u8],
    /// Where its fields are, once somebody asked.
    fields: Option<Vec<(usize, usize)>>,
    records: u64,
    file_records: u64,
    /// Nothing has been read yet.
    begins: bool,
    going: bool,
    failed: bool,
    status: i64,
    watch: Watch,
}

impl<'a> Machine<'a> {
    /// One whose lines are split as `-F` says.
    pub(super) fn new(
        call: &Call<'_>,
        separator: Option<&[u8]>,
        names: &[Name],
        rules: usize,
    ) -> Result<Self, Refusal> {
        let separator_text = separator.unwrap_or(b" ").to_vec();
        let stored = |name: &Name| match name.is_array {
            true => Stored::Array(HashMap::new()),
            false => Stored::Variable(Value::Unset),
        };
        Ok(Machine {
            stored: names.iter().map(stored).collect(),
            names: names
                .iter()
                .enumerate()
                .map(|(at, name)| (name.name.clone(), at))
                .collect(),
            within: vec![false; rules],
            separator: Separator::of(&separator_text)?,
            separator_text,
            output_separator: b" ".to_vec(),
            record: b"",
            fields: None,
            records: 0,
            file_records: 0,
            begins: true,
            going: true,
            failed: false,
            status: 0,
            watch: Watch::new(call.deadline),
        })
    }

    /// `-v name=value`.
    pub(super) fn set_from_outside(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        let plain = name.iter().all(|b| b.is_ascii_lowercase() || *b == b'_');
        let name = String::from_utf8_lossy(name);
        if !plain || name.is_empty() || super::terms::is_taken(&name) {
            return refuse(format_args!("the variable {name:?} set from outside"));
        }
        match self
            .names
            .get(name.as_ref())
            .map(|at| &mut self.stored[*at])
        {
            None => Ok(()),
            Some(Stored::Variable(variable)) => {
                *variable = Value::Input(value.to_vec());
                Ok(())
            }
            Some(Stored::Array(_)) => refuse("an array set from outside"),
        }
    }

    /// Whether it has neither ended nor failed.
    pub(super) fn is_going(&self) -> bool {
        self.going && !self.failed
    }

    /// A file could not be opened.
    pub(super) fn fail(&mut self) {
        self.failed = true;
        self.status = 2;
    }

    /// A file begins.
    pub(super) fn open(&mut self) {
        self.file_records = 0;
        self.begins = false;
    }

    /// All has been read: what is left is done even after an `exit`.
    pub(super) fn finish(&mut self) {
        self.begins = false;
        self.going = true;
    }

    /// The exit status.
    pub(super) fn status(&self) -> i32 {
        self.status.rem_euclid(256) as i32
    }

    /// Runs the actions of `rules`, one after another.
    pub(super) fn run<'r>(
        &mut self,
        call: &mut Call<'_>,
        rules: impl Iterator<Item = &'r Rule>,
    ) -> Result<(), Refusal> {
        for rule in rules {
            if !self.is_going() {
                break;
            }
            match self.statements(call, &rule.action)? {
                Flow::On => {}
                Flow::Exit => self.going = false,
                Flow::Next => return refuse("next outside of the lines"),
            }
        }
        Ok(())
    }

    /// Gives a line to the rules.
    pub(super) fn record(
        &mut self,
        call: &mut Call<'_>,
        rules: &[Rule],
        record: &'a [u8],
    ) -> Result<(), Refusal> {
        self.watch.pass(record.len())?;
        self.records += 1;
        self.file_records += 1;
        self.record = record;
        self.fields = None;
        for (at, rule) in rules.iter().enumerate() {
            let chosen = match &rule.when {
                When::Begin | When::End => false,
                When::Always => true,
                When::Is(condition) => self.is_true(call, condition)?,
                When::Range(first, last) => {
                    let chosen = self.within[at] || self.is_true(call, first)?;
                    self.within[at] = chosen && !self.is_true(call, last)?;
                    chosen
                }
            };
            if !chosen {
                continue;
            }
            match self.statements(call, &rule.action)? {
                Flow::On => {}
                Flow::Next => break,
                Flow::Exit => {
                    self.going = false;
                    break;
                }
            }
        }
        Ok(())
    }

    fn statements(
        &mut self,
        call: &mut Call<'_>,
        statements: &[Statement],
    ) -> Result<Flow, Refusal> {
        for statement in statements {
            let flow = match statement {
                Statement::Print(list) => self.print(call, list)?,
                Statement::Format(format, list) => self.format(call, format, list)?,
                Statement::If(condition, then, otherwise) => {
                    let chosen = if self.is_true(call, condition)? {
                        then
                    } else {
                        otherwise
                    };
                    self.statements(call, chosen)?
                }
                Statement::While(condition, body, step) => {
                    self.repeat(call, condition, body, step.as_ref())?
                }
                Statement::Next => Flow::Next,
                Statement::Exit(status) => {
                    if let Some(status) = status {
                        self.status = self.value(call, status)?.whole()?;
                    }
                    Flow::Exit
                }
                Statement::Do(expression) => {
                    self.value(call, expression)?;
                    Flow::On
                }
            };
            if !matches!(flow, Flow::On) {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn repeat(
        &mut self,
        call: &mut Call<'_>,
        condition: &Expression,
        body: &[Statement],
        step: Option<&Expression>,
    ) -> Result<Flow, Refusal> {
        while self.is_true(call, condition)? {
            self.watch.pass(0)?;
            match self.statements(call, body)? {
                Flow::On => {}
                other => return Ok(other),
            }
            if let Some(step) = step {
                self.value(call, step)?;
            }
        }
        Ok(Flow::On)
    }

    fn print(&mut self, call: &mut Call<'_>, list: &[Expression]) -> Result<Flow, Refusal> {
        let mut text = Vec::new();
        match list {
            [] => text.extend_from_slice(self.record),
            list => {
                for (at, expression) in list.iter().enumerate() {
                    let value = self.value(call, expression)?.text()?;
                    if at > 0 {
                        text.extend_from_slice(&self.output_separator);
                    }
                    text.extend_from_slice(&value);
                }
            }
        }
        text.push(b'\n');
        self.watch.pass(text.len())?;
        call.out.write(&text);
        Ok(Flow::On)
    }

    fn format(
        &mut self,
        call: &mut Call<'_>,
        format: &[u8],
        list: &[Expression],
    ) -> Result<Flow, Refusal> {
        let mut values = Vec::with_capacity(list.len());
        for expression in list {
            values.push(self.value(call, expression)?);
        }
        let text = super::format::formatted(format, &values)?;
        if text.len() > LONGEST_FORMATTED {
            return refuse("a long formatted text");
        }
        call.out.write(&text);
        Ok(Flow::On)
    }

    fn is_true(&mut self, call: &mut Call<'_>, expression: &Expression) -> Result<bool, Refusal> {
        match expression {
            Expression::Matches(None, matcher) => Ok(matcher.is_match(self.record)),
            other => self.value(call, other)?.is_true(),
        }
    }

    fn number(&mut self, call: &mut Call<'_>, expression: &Expression) -> Result<f64, Refusal> {
        self.value(call, expression)?.number()
    }

    fn value(&mut self, call: &mut Call<'_>, expression: &Expression) -> Result<Value, Refusal> {
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

    fn fields(&mut self) -> Result<&[(usize, usize)], Refusal> {
        if self.fields.is_none() {
            let mut fields = Vec::new();
            self.separator.split(self.record, &mut fields);
            self.watch.pass(self.record.len())?;
            self.fields = Some(fields);
        }
        Ok(self.fields.as_deref().unwrap_or_default())
    }

    /// A field; the line itself is the one before the first, and behind the last are empty texts.
    fn field(&mut self, index: i64) -> Result<Value, Refusal> {
        let record = self.record;
        match usize::try_from(index) {
            Err(_) => refuse("a field before the line"),
            Ok(0) => Ok(Value::Input(record.to_vec())),
            Ok(index) if index > 1000 => refuse("a field far behind"),
            Ok(index) => Ok(match self.fields()?.get(index - 1) {
                Some((start, end)) => Value::Input(record[*start..*end].to_vec()),
                None => Value::Text(Vec::new()),
            }),
        }
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
