//! Generated command lines of `grep` and `sort` on generated trees, each answered here and by the installed program.
//!
//!     cargo run --release -p curserve-tools --example differential -- grep|sort CASES SEED [--answers FILE] [--alone]
//!
//! Every answer must be equal to the real one in output, messages and exit code; a refusal counts as none. `--answers`
//! writes a line for each case (a digest or `refused`, then the command), so that two builds can be compared; `--alone`
//! does not run the real program. Exit code 1 after a difference.

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/generate/mod.rs"]
mod generate;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;

use common::{load, ours, theirs};
use generate::{Generator, Tree};

/// Command lines on one tree.
const PER_TREE: u64 = 40;

fn main() {
    let mut words = std::env::args().skip(1);
    let usage = "differential grep|sort CASES SEED [--answers FILE] [--alone]";
    let program = words.next().expect(usage);
    let cases: u64 = words.next().and_then(|n| n.parse().ok()).expect(usage);
    let seed: u64 = words.next().and_then(|n| n.parse().ok()).expect(usage);
    let (mut answers, mut alone) = (None, false);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--answers" => {
                let path = words.next().expect(usage);
                answers = Some(std::io::BufWriter::new(
                    std::fs::File::create(path).expect("a file"),
                ));
            }
            "--alone" => alone = true,
            _ => panic!("{usage}"),
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    Tree::skeleton(folder.path());
    let corpus = load(folder.path());
    let mut random = Generator::new(seed);
    let (mut answered, mut refused, mut wrong) = (0u64, 0u64, 0u64);
    for case in 0..cases {
        if case % PER_TREE == 0 {
            Tree::fill(folder.path(), &program, &mut random);
        }
        let (args, stdin) = random.call(&program);
        let mine = ours(&corpus, &args, stdin.as_deref());
        if let Some(file) = &mut answers {
            let digest = match &mine {
                Ok(answer) => {
                    let mut hasher = DefaultHasher::new();
                    (&answer.0, &answer.1, answer.2).hash(&mut hasher);
                    format!("{:016x}", hasher.finish())
                }
                Err(refusal) => format!("refused ({refusal})"),
            };
            writeln!(file, "{case}\t{digest}\t{args:?}").expect("the answers' file");
        }
        match mine {
            Err(_) => refused += 1,
            Ok(_) if alone => answered += 1,
            Ok(mine) => {
                answered += 1;
                let real = theirs(&program, folder.path(), &args, stdin.as_deref());
                if mine != real {
                    wrong += 1;
                    println!(
                        "{args:?} stdin {:?}\n  here {mine:?}\n  real {real:?}",
                        stdin.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                    );
                    Tree::show(folder.path(), &args);
                    if wrong >= 20 {
                        break;
                    }
                }
            }
        }
    }
    println!("{program}: {answered} answered, {refused} refused, {wrong} wrong");
    std::process::exit(i32::from(wrong > 0));
}
