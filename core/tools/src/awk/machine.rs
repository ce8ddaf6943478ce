//! What a program has in hand: its variables, the line, and the fields of it.

use std::collections::HashMap;

use super::program::Name;
use super::refuse::refuse;
use super::split::Separator;
use super::value::Value;
use crate::{Call, Refusal, Watch};

/// A variable or an array.
pub(super) enum Stored {
    Variable(Value),
    Array(HashMap<Vec<u8>, Value>),
}

/// What a program has in hand.
pub(super) struct Machine<'a> {
    pub(super) stored: Vec<Stored>,
    pub(super) names: HashMap<String, usize>,
    /// For each rule that is a range: it has begun.
    pub(super) within: Vec<bool>,
    pub(super) separator: Separator,
    pub(super) separator_text: Vec<u8>,
    pub(super) output_separator: Vec<u8>,
    pub(super) record: &'a [u8],
    /// Where its fields are, once somebody asked.
    pub(super) fields: Option<Vec<(usize, usize)>>,
    pub(super) records: u64,
    pub(super) file_records: u64,
    /// Nothing has been read yet.
    pub(super) begins: bool,
    pub(super) going: bool,
    pub(super) failed: bool,
    pub(super) status: i64,
    pub(super) watch: Watch,
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

    pub(super) fn fields(&mut self) -> Result<&[(usize, usize)], Refusal> {
        if self.fields.is_none() {
            let mut fields = Vec::new();
            self.separator.split(self.record, &mut fields);
            self.watch.pass(self.record.len())?;
            self.fields = Some(fields);
        }
        Ok(self.fields.as_deref().unwrap_or_default())
    }

    /// A field; the line itself is the one before the first, and behind the last are empty texts.
    pub(super) fn field(&mut self, index: i64) -> Result<Value, Refusal> {
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
}
