//! How far a program reads its standard input, as its words say before it runs: the shell plans a pipeline by it.

use crate::grep::Facts;
use crate::{awk, cat, cut, headtail, nl, rg, sed, sort, tr, uniq, wc};
use curserve_text::options::{Parsed, Table};

/// How far a program reads its standard input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intake {
    /// Not at all.
    Nothing,
    /// To the end.
    All,
    /// So many lines, and then it ends; `head`.
    Lines(u64),
    /// Perhaps, and perhaps not to the end.
    Unknown,
}

impl Intake {
    /// That of the program with these words, its name first.
    pub fn of<A: AsRef<[u8]>>(line: &[A]) -> Intake {
        let Some((name, args)) = line.split_first() else {
            return Intake::Unknown;
        };
        match name.as_ref() {
            b"[" | b"basename" | b"diff" | b"dirname" | b"echo" | b"false" | b"find" | b"ls"
            | b"printf" | b"seq" | b"test" | b"tree" | b"true" => Intake::Nothing,
            b"awk" => awk::intake(args),
            b"cat" => files(&cat::TABLE, args),
            b"cut" => files(&cut::TABLE, args),
            b"nl" => files(&nl::TABLE, args),
            b"sort" => files(&sort::TABLE, args),
            b"tac" => of_operands(args.iter().map(AsRef::as_ref)),
            b"tail" => headtail::tail_intake(args),
            b"head" => headtail::head_intake(args),
            b"uniq" => files(&uniq::TABLE, args),
            b"wc" => files(&wc::TABLE, args),
            b"tr" => match tr::TABLE.parse(args) {
                Ok(_) => Intake::All,
                Err(_) => Intake::Unknown,
            },
            b"xargs" => Intake::All,
            b"sed" => sed::intake(args),
            b"rg" => rg::intake(args),
            b"grep" | b"egrep" | b"fgrep" => match Facts::of(line) {
                Some(facts) if facts.leaves_stdin => Intake::Nothing,
                Some(facts) if facts.reads_all => Intake::All,
                _ => Intake::Unknown,
            },
            _ => Intake::Unknown,
        }
    }
}

/// That of a program whose operands are the files that it reads.
fn files<K: Copy + PartialEq, A: AsRef<[u8]>>(table: &Table<K>, args: &[A]) -> Intake {
    match table.parse(args) {
        Ok(Parsed { operands, .. }) => of_operands(operands.into_iter()),
        Err(_) => Intake::Unknown,
    }
}

/// That of a program that reads these files to their ends, or standard input where there are none. Of one among several it
/// is not known: some look at all of them first, and end where one is not there.
pub(crate) fn of_operands<'a>(mut operands: impl Iterator<Item = &'a [u8]>) -> Intake {
    match (operands.next(), operands.next()) {
        (None | Some(b"-"), None) => Intake::All,
        (Some(first), second) => {
            let dash = [first]
                .into_iter()
                .chain(second)
                .chain(operands)
                .any(|o| o == b"-");
            if dash {
                Intake::Unknown
            } else {
                Intake::Nothing
            }
        }
        (None, Some(_)) => Intake::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_how_far_a_program_reads() {
        let of = |line: &str| Intake::of(&line.split(' ').collect::<Vec<_>>());
        for (line, intake) in [
            ("cat", Intake::All),
            ("cat -n -", Intake::All),
            ("cat f", Intake::Nothing),
            ("cat - f", Intake::Unknown),
            ("cat --nope", Intake::Unknown),
            ("head", Intake::Lines(10)),
            ("head -3", Intake::Lines(3)),
            ("head -n 1K", Intake::Lines(1024)),
            ("head -c3", Intake::Unknown),
            ("head -n -3", Intake::Unknown),
            ("head -3 f", Intake::Nothing),
            ("tail -n +3", Intake::All),
            ("tail -f", Intake::Unknown),
            ("sed s/a/b/", Intake::All),
            ("sed 3q", Intake::Unknown),
            ("sed -n 3p f", Intake::Nothing),
            ("sort -k2,2n -t :", Intake::All),
            ("sort +1", Intake::Unknown),
            ("grep -q x", Intake::Unknown),
            ("rg x f", Intake::Nothing),
            ("rg x", Intake::Unknown),
            ("ls -", Intake::Nothing),
            ("awk 1", Intake::All),
            ("awk -F: 1", Intake::All),
            ("awk 1 f", Intake::Nothing),
            ("awk NR==3{exit}", Intake::Unknown),
            ("od", Intake::Unknown),
        ] {
            assert_eq!(of(line), intake, "{line}");
        }
    }
}
