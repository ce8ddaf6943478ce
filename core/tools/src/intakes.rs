//! How far each program reads its standard input, as its words say before it runs: the shell plans a pipeline by it.

use crate::grep::Facts;
use crate::intake::{of_operands, Intake};
use crate::{awk, cat, cut, headtail, nl, rg, sed, sort, tr, uniq, wc};
use curserve_text::options::{Parsed, Table};

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
