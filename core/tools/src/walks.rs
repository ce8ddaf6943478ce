//! Which calls go below folders, as their words say: the shell asks before it runs them, and so does the C locale.

use curserve_text::options::{Given, Table};

use crate::{grep, ls};

/// Whether the tool `name` goes below a folder with these words; where it refuses them it goes nowhere.
pub fn walks<A: AsRef<[u8]>>(name: &[u8], args: &[A]) -> bool {
    match name {
        b"find" | b"rg" | b"tree" => true,
        b"grep" | b"egrep" | b"fgrep" => asks(&grep::TABLE, args, |given| match given.key {
            grep::Key::Recursive | grep::Key::Following => true,
            grep::Key::Directories => given.text() == b"recurse",
            _ => false,
        }),
        b"ls" => asks(&ls::TABLE, args, |given| given.key == ls::Key::Recursive),
        _ => false,
    }
}

/// Whether one of the options among `args` asks for it.
fn asks<K: Copy + PartialEq, A: AsRef<[u8]>>(
    table: &Table<K>,
    args: &[A],
    asks: impl Fn(&Given<'_, K>) -> bool,
) -> bool {
    table
        .parse(args)
        .is_ok_and(|parsed| parsed.options.iter().any(asks))
}

#[cfg(test)]
mod tests {
    use super::walks;

    #[test]
    fn options_say_whether_a_call_goes_below_folders() {
        let of = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            walks(words[0].as_bytes(), &words[1..])
        };
        for line in [
            "find",
            "rg x",
            "tree",
            "grep -r x",
            "egrep -inR x .",
            "grep x . -r",
            "grep --recursive x",
            "grep --dereference x .",
            "grep -d recurse x",
            "grep --directories=recurse x .",
            "ls -laR",
            "ls --rec",
        ] {
            assert!(of(line), "{line}");
        }
        for line in [
            "cat x",
            "sort -r x",
            "grep x f",
            "grep -er x",
            "grep -e -r x",
            "grep -d skip x",
            "grep -C 3 x f",
            "grep --nope -r x",
            "ls -lart",
            "ls -I *R* x",
            "ls -- -R",
        ] {
            assert!(!of(line), "{line}");
        }
    }
}
