//! Command lines of every tool, from its table of options: options in all their spellings, values at their borders, operands
//! that are odd.

#![allow(dead_code)] // each user takes its part

mod others;
#[path = "../../../tools/tests/generate/random.rs"]
pub mod random;
mod tree;
pub mod values;

use curserve_text::options::{Described, Known, Style, Takes};
use random::Generator;

pub use tree::fill;

/// The programs that there are lines for.
pub const PROGRAMS: &[&str] = &[
    "basename", "cat", "cut", "dirname", "echo", "find", "grep", "head", "ls", "nl", "printf",
    "rg", "sed", "seq", "sort", "tac", "tail", "test", "tr", "tree", "uniq", "wc", "xargs",
];

/// A line for `program`.
pub fn line(random: &mut Generator, program: &str, tables: &[Described]) -> String {
    let table = tables.iter().find(|table| table.program == program);
    let mut words = vec![program.to_string()];
    words.extend(match table {
        Some(table) => of_table(random, table),
        None => others::words(random, program),
    });
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    around(random, program, &quoted.join(" "))
}

/// Where the input of the command comes from, and where its output goes.
fn around(random: &mut Generator, program: &str, command: &str) -> String {
    let reads = !matches!(
        program,
        "find" | "ls" | "tree" | "echo" | "printf" | "test" | "seq" | "basename" | "dirname"
    );
    let before = match random.below(if reads { 8 } else { 40 }) {
        0 => "printf 'b 2\\na 1\\na 1\\n' | ",
        1 => "printf 'x:y:z\\n\\n1:2' | ",
        2 => "printf '' | ",
        _ => "",
    };
    let input = match random.below(if reads && before.is_empty() { 8 } else { 40 }) {
        0 if before.is_empty() => " < a",
        1 if before.is_empty() => " < empty",
        _ => "",
    };
    let after = match random.below(14) {
        0 => " 2>&1",
        1 => " > /dev/null",
        2 => " 2> /dev/null",
        3 => " > /dev/null 2>&1",
        4 => " | cat",
        5 => " 2>&1 | cat",
        6 if program != "rg" => " | head -n 2",
        _ => "",
    };
    let last = if after.contains('|') { "" } else { "; echo $?" };
    format!("{before}{command}{input}{after}{last}")
}

/// Options and operands of a program with a table.
fn of_table(random: &mut Generator, table: &Described) -> Vec<String> {
    let mut words = Vec::new();
    // Of --json two runs are never the same: it carries times.
    let steady = table
        .known
        .iter()
        .filter(|known| known.long != Some("json"));
    let all: Vec<&Known<()>> = steady.collect();
    let done = all.iter().copied().filter(|known| known.key.is_some());
    let done: Vec<&Known<()>> = done.collect();
    for _ in 0..random.below(4) {
        let known = match random.once_in(12) {
            true => all[random.below(all.len())],
            false => done[random.below(done.len())],
        };
        option(random, table, known, &mut words);
    }
    if table.program == "cut" && !random.once_in(20) {
        let list = table
            .known
            .iter()
            .filter(|known| matches!(known.letter, Some(b'b' | b'c' | b'f')));
        let list: Vec<_> = list.collect();
        words.retain(|word| !word.starts_with(['-']) || !word.contains(['b', 'c', 'f']));
        let known = list[random.below(3)];
        option(random, table, known, &mut words);
    }
    if random.once_in(12) {
        words.push(tree::old_spelling(random));
    }
    let mut operands = tree::operands(random, table.program);
    if random.once_in(20) {
        operands.insert(0, "--".to_string());
    }
    if random.once_in(5) {
        operands.append(&mut words);
        return operands;
    }
    words.append(&mut operands);
    words
}

/// One option, in one of its spellings.
fn option(random: &mut Generator, table: &Described, known: &Known<()>, words: &mut Vec<String>) {
    let letter = known.letter.map(|letter| char::from(letter).to_string());
    let name = letter
        .clone()
        .or(known.long.map(str::to_string))
        .unwrap_or_default();
    let value = match known.takes {
        Takes::Nothing => None,
        takes => Some(values::of(random, table.program, &name, takes)),
    };
    let by_name = match (&letter, known.long) {
        (Some(_), Some(_)) => random.once_in(3),
        (None, _) => true,
        _ => false,
    };
    if by_name {
        let long = known.long.unwrap_or_default();
        // Cut short, clear or not.
        let end = match random.below(3) {
            0 => 1 + random.below(long.len()),
            _ => long.len(),
        };
        let name = &long[..end];
        match (known.takes, value) {
            (Takes::Nothing, _) if random.once_in(20) => words.push(format!("--{name}=1")),
            (Takes::Nothing, _) => words.push(format!("--{name}")),
            (Takes::Maybe | Takes::Attached, Some(value)) => match random.below(3) {
                0 => words.push(format!("--{name}={value}")),
                _ => words.push(format!("--{name}")),
            },
            (_, Some(value)) => match random.below(2) {
                0 => words.push(format!("--{name}={value}")),
                _ => words.extend([format!("--{name}"), value]),
            },
            (_, None) => {}
        }
        return;
    }
    let mut cluster = format!("-{}", letter.unwrap_or_default());
    // Behind a letter that takes nothing.
    let flags: Vec<u8> = table
        .known
        .iter()
        .filter(|known| known.key.is_some() && matches!(known.takes, Takes::Nothing))
        .filter_map(|known| known.letter)
        .collect();
    if random.once_in(6) && !flags.is_empty() {
        cluster.insert(1, char::from(flags[random.below(flags.len())]));
    }
    if table.digits && random.once_in(12) {
        cluster.insert_str(1, &values::number(random, None));
    }
    match (known.takes, value) {
        (Takes::Text | Takes::Number(_), Some(value)) => match random.below(8) {
            0..=3 => words.push(cluster + &value),
            4..=6 => words.extend([cluster, value]),
            _ if table.style == Style::Whole => words.push(format!("{cluster}={value}")),
            _ => words.push(cluster),
        },
        (Takes::Attached, Some(value)) if random.once_in(3) => words.push(cluster + &value),
        _ => words.push(cluster),
    }
}

/// A word in quotes that the shell takes off again.
fn quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./,:=@%+".contains(&b);
    match !word.is_empty() && word.bytes().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
