//! Every number of every option, at the borders where programs change their minds: equal, or refused.

mod common;
mod options;

use common::Place;
use curserve_text::options::{Number, Takes};
use options::{fill, values};

/// A command with `#` for a number, for each option of a table that takes one; and places of numbers that no table has.
const OTHERS: &[&str] = &[
    "cut -c# a",
    "cut -c1-# a",
    "cut -c#- a",
    "cut -c2,#,3 a",
    "cut -b-# a",
    "cut -d: -f# a",
    "cut -d: -f2-# a",
    "cut -d: -f#,1 a",
    "cut --complement -c# a",
    "sort -k# a",
    "sort -k1,# a",
    "sort -k1.# a",
    "sort -k2.#n a",
    "sort -k1,1.# a",
    "sort -t: -k#,# a",
    "sort -k#n,2 a",
    "sed -n '#p' a",
    "sed -n '2,#p' a",
    "sed -n '#,3p' a",
    "sed -n '#~2p' a",
    "sed -n '1~#p' a",
    "sed -n '2,+#p' a",
    "sed -n '2,~#p' a",
    "sed 's/o/X/#' a",
    "sed 's/o/X/#g' a",
    "sed '#q' a",
    "sed 'q#' a",
    "sed '2Q#' a",
    "sed '#d' a",
    "sed '#!d' a",
    "find sub -maxdepth #",
    "find sub -mindepth #",
    "find . -maxdepth 1 -size #",
    "find . -maxdepth 1 -size -#c",
    "find . -maxdepth 1 -size +#k",
    "find . -maxdepth 1 -size #M",
    "find . -maxdepth 1 -size +#G",
    "find . -maxdepth 1 -links #",
    "find . -maxdepth 1 -links +#",
    "find a -perm #",
    "find a -perm -#",
    "find a -perm /#",
    "find a -mtime #",
    "find a -mtime -#",
    "find a -newer a -mmin #",
    "printf '%#d|' 7",
    "printf '%-#s|' 7",
    "printf '%.#s|' abc",
    "printf '%d|' #",
    "printf '%c|' #",
    "printf '%x|' #",
    "printf '%i %u %o|' # # #",
    "seq #",
    "seq 2 #",
    "seq 1 # 3",
    "seq -w # 3",
    "test # -eq 1",
    "test 1 -lt #",
    "[ # -ge 2 ]",
    "grep -# foo a",
    "grep -v# foo a",
    "head -# a",
    "tail -# a",
    "tail +# a",
    "head -#c a",
    "tail -#f a",
    "uniq -# a",
    "uniq +# a",
    "sort +# a",
    "sort +1 -# a",
    "tr 'a' '[x*#]' < a",
    "tr '\\#' x < a",
    "xargs -L # echo < list",
    "xargs -P # echo < list",
    "xargs -s # echo < list",
    "nl -v -# a",
    "nl -l # a",
    "ls -w # a",
    "ls -T # a",
    "tree -L# sub",
    "tree -aL# sub",
    "timeout # cat a",
    "sleep #",
    "set -- a b; echo ${1:#} $#",
    "x=abcdef; echo ${x:#}",
    "x=abcdef; echo ${x:1:#}",
    "x=abcdef; echo ${x: -#}",
    "echo $((#))",
    "echo {1..#}",
    "exit #",
    "head -n -# a",
    "head -c -# a",
    "tail -n +# a",
    "tail -c +# a",
    "grep -m# foo a b.txt",
    "grep -c -m # a a",
    "rg -m# foo a",
    "rg -A # foo a",
    "rg -d # foo sub",
    "rg -M # foo a",
    "rg -j # foo a",
    "rg --max-columns=# --max-columns-preview foo a",
];

/// What is run besides the option, and what it is run on.
fn rest(program: &str) -> &'static str {
    match program {
        "grep" | "rg" => "foo a",
        "xargs" => "echo < list",
        "tree" => "sub",
        "sed" => "s/a/b/ a",
        _ => "a",
    }
}

/// One line of so many, from a first one that the clock chooses; all of them with CURSERVE_CASES=all.
const SHARE: usize = 40;

#[test]
fn numbers_are_read_as_the_real_programs_read_them() {
    let place = Place::new(fill);
    let mut lines: Vec<String> = Vec::new();
    let mut at = |template: &str, bounds: Option<&Number>| {
        for value in values::borders(bounds) {
            lines.push(format!("{}; echo $?", template.replace('#', &value)));
        }
    };
    for table in curserve_tools::tables() {
        for known in &table.known {
            let (Takes::Number(bounds), Some(())) = (known.takes, known.key) else {
                continue;
            };
            let (program, rest) = (table.program, rest(table.program));
            for letter in known.letter.into_iter().map(char::from) {
                at(&format!("{program} -{letter}'#' {rest}"), Some(bounds));
                at(&format!("{program} -{letter} '#' {rest}"), Some(bounds));
            }
            if let Some(long) = known.long {
                at(&format!("{program} --{long}='#' {rest}"), Some(bounds));
            }
        }
    }
    for template in OTHERS {
        at(template, None);
    }
    if std::env::var("CURSERVE_CASES").as_deref() != Ok("all") {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let first = now.expect("a clock past 1970").subsec_micros() as usize % SHARE;
        lines = lines.into_iter().skip(first).step_by(SHARE).collect();
    }
    let (mut wrong, mut answered) = (Vec::new(), 0);
    for line in &lines {
        if place.ours(line).is_ok() {
            answered += 1;
            wrong.extend(place.difference(line));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        lines.len(),
        wrong.join("\n")
    );
    assert!(answered > lines.len() / 6, "{answered} of {}", lines.len());
}
