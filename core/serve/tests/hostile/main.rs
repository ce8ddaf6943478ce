//! Whatever a call nests or multiplies, the daemon lives, answers in time, holds no more than it may, and what it answers is
//! what the real shell says.
//!
//! The calls are executed in a child process with little memory and short stacks, which notes each one before it begins. A
//! quick sample runs with every test; `HOSTILE_SECONDS` and `HOSTILE_SEED` ask for more.

mod generate;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use curserve_exec::Limits;
use curserve_proto::{Answer, Call, Handler};
use curserve_serve::Daemon;
use curserve_tools::World;
use generate::{call, Random};
use serde_json::{json, Value};

/// Given to each call.
const TIME: Duration = Duration::from_millis(200);
/// So much later may it be answered, and by so many passes over all that it may hold, byte by byte: the clock is looked at
/// between steps, and a step may make a word of the whole value, or split it.
const LATE: Duration = Duration::from_millis(50);
const PASSES: u32 = 2;
/// What a call may hold, and what the process may take beside: the folder, heaps of threads, a regular expression.
const MEMORY: usize = 256 << 20;
const BESIDE: usize = 192 << 20;
/// Stacks of the threads that answer: a server's own, and one that is too short for anything deep.
const STACKS: [usize; 2] = [2 << 20, 640 << 10];

/// What broke something once, or is its next of kin.
const KNOWN: &[&str] = &[
    "x=a; for i in $(seq 1 40); do x=$x$x; done",
    "x=a; for i in $(seq 1 40); do x=$x$x; done; echo ${#x}",
    "printf %10001d 1 | wc -c",
    "printf '%-20000s|' a | wc -c",
    "nl -w 0 a.txt",
    "xargs -n 0 echo <a.txt",
    "tree -L 4294967297",
    "cut -c 18446744073709551615 a.txt",
    "nl -v 9223372036854775808 a.txt",
    "sed -n '1,+18446744073709551615p' a.txt",
    "uniq -f 18446744073709551615 a.txt",
    "sed ':a;s/a/aa/g;ta' one",
    "sed ':a;a x' -e 'ba' a.txt",
    "sed -E 's/(a|b)*c(a|b)*d(a|aa)+$/x/' one",
    "yes=$(seq 1 3000000); echo $yes | xargs -n1 true",
    "seq 1 9999999 | sort | uniq -c | sort -rn | tail -1",
    "cat one one one one one one one one | tr a '\\n' | sort -u",
    "rg -o . lines",
    "rg -r \"$(printf '%05000d' 1)\" . lines",
    "x=$(printf %200000d 1); cat \"$x\"",
    "cat $(seq 1 400000)",
];

fn main_folder() -> Option<PathBuf> {
    std::env::var_os("HOSTILE_FOLDER").map(PathBuf::from)
}

#[test]
fn hostile_calls_are_answered_or_refused() {
    if let Some(folder) = main_folder() {
        return child(&folder);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "hostile_calls_are_answered_or_refused",
            "--exact",
            "--nocapture",
        ])
        .env("HOSTILE_FOLDER", folder.path())
        .env("HOSTILE_PASS_NS", pass().as_nanos().to_string())
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let noted = std::fs::read_to_string(folder.path().join("call")).unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    let status = output.status;
    assert!(
        status.success(),
        "{status}\n{said}\nlast: {}",
        short(&noted)
    );
    print!("{said}");
}

/// All in one process, which dies if one of them kills it.
fn child(folder: &Path) {
    let root = folder.canonicalize().expect("its path").join("root");
    fill(&root);
    let at = root.to_str().expect("UTF-8").to_owned();
    let limits = Limits {
        values: MEMORY,
        output: 32 << 20,
        ..Limits::default()
    };
    let daemon = Daemon::start(root.clone(), at, limits, World::of_this_machine());
    let daemon = daemon.expect("it starts");
    daemon.wait().expect("it loads");
    let asked = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let seconds = asked("HOSTILE_SECONDS").unwrap_or(10);
    let seed = asked("HOSTILE_SEED").unwrap_or(1);
    restrict_memory();
    let mut run = Run {
        daemon: &daemon,
        note: folder.join("call"),
        root,
        base: peak(),
        late: LATE + PASSES * Duration::from_nanos(asked("HOSTILE_PASS_NS").unwrap_or(0)),
        broken: String::new(),
        counts: [0; 4],
    };
    for line in KNOWN {
        run.call("known", "bash", json!({"command": line}), 0);
    }
    for before in [
        "case a in a) ",
        "\ncase a in a) ( ",
        "ca\\\nse a in (b) echo esac;; a) ",
    ] {
        for levels in [4, 9, 14, 24, 500] {
            let line = format!("{}echo a & &", before.repeat(levels));
            run.call("known", "bash", json!({"command": line}), levels);
        }
    }
    for script in ["if true; then ", "( ", "xargs ", "find . -exec "] {
        let line = format!("{}echo a", script.repeat(800));
        run.call("known", "bash", json!({"command": line}), 0);
    }
    run.call("known", "glob", json!({"pattern": "{".repeat(500)}), 0);
    run.call(
        "known",
        "write",
        json!({"path": "n/".repeat(20_000) + "f", "content": ""}),
        0,
    );
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut number = seed;
    while Instant::now() < end {
        let (tool, arguments) = call(&mut Random::new(number));
        run.call(&format!("seed {number}"), tool, arguments, number as usize);
        number += 1;
    }
    let [answered, refused, failed, compared] = run.counts;
    println!("late: at most {:?}", run.late);
    println!(
        "{} calls from seed {seed}: {answered} answered ({compared} as by bash), {refused} refused, {failed} out of time; \
         at most {} MiB more",
        number - seed,
        (peak() - run.base) >> 20
    );
    let stats = daemon.stats();
    assert_eq!(stats["panics"], 0, "{stats}");
    assert!(answered > refused / 10, "hardly anything was answered");
    assert!(run.broken.is_empty(), "{}", run.broken);
}

struct Run<'d> {
    daemon: &'d Daemon,
    note: PathBuf,
    root: PathBuf,
    base: usize,
    late: Duration,
    broken: String,
    counts: [usize; 4],
}

impl Run<'_> {
    fn call(&mut self, name: &str, tool: &str, arguments: Value, number: usize) {
        let text = format!("{name}: {tool} {arguments}");
        std::fs::write(&self.note, &text).expect("a note");
        let call = Call {
            tool: tool.into(),
            arguments: arguments.as_object().cloned().expect("an object"),
            timeout_ms: Some(TIME.as_millis() as u64),
            ..Call::default()
        };
        let before = peak();
        let thread = std::thread::Builder::new().stack_size(STACKS[number % STACKS.len()]);
        let (answer, took) = std::thread::scope(|scope| {
            let asked = thread.spawn_scoped(scope, || {
                let began = Instant::now();
                let answer = self.daemon.call(&call);
                // On a busy machine a thread waits for a processor; what it computed itself is too much all the same.
                (answer, computed().min(began.elapsed()))
            });
            asked.expect("a thread").join().expect("no panic")
        });
        let after = peak();
        if took > TIME + self.late {
            let _ = writeln!(self.broken, "after {took:?}: {}", short(&text));
        }
        if after > before && after - self.base > MEMORY + BESIDE {
            let more = (after - self.base) >> 20;
            let _ = writeln!(self.broken, "{more} MiB: {}", short(&text));
        }
        match (&answer.refused, &answer.failed) {
            (Some(_), _) => self.counts[1] += 1,
            (_, Some(_)) => self.counts[2] += 1,
            _ => self.counts[0] += 1,
        }
        let command = arguments["command"].as_str();
        if let (Some(code), Some(line)) = (answer.exit_code, command) {
            self.compare(&text, line, code, &answer);
        }
    }

    /// What the real shell says of a line that reads.
    fn compare(&mut self, text: &str, line: &str, code: i32, answer: &Answer) {
        let long = answer.stdout.len() + answer.stderr.len() > 1 << 20;
        let there = |name: &str| has(name) || !line.contains(name);
        // What of files in any order is shown by a program behind it is anything.
        let is_open = line.contains("rg ") && line.contains('|');
        if long || is_open || line.contains("--json") || !there("rg") || !there("tree") {
            return;
        }
        let mut real = Command::new("timeout");
        real.args(["5", "bash", "-c", line]).current_dir(&self.root);
        real.env_clear().env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        let path = std::env::var("PATH").unwrap_or_default();
        real.env("PATH", path).stdin(Stdio::null());
        let real = real.output().expect("bash");
        if real.status.code() == Some(124) {
            return;
        }
        self.counts[3] += 1;
        let mut given = (code, answer.stdout.clone(), answer.stderr.clone());
        let mut expected = (real.status.code().unwrap_or(-1), real.stdout, real.stderr);
        if line.contains("rg ") {
            // Files come in any order there.
            for (_, out, err) in [&mut given, &mut expected] {
                for text in [out, err] {
                    let mut lines: Vec<Vec<u8>> =
                        text.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
                    lines.sort_unstable();
                    *text = lines.join(&b'\n');
                }
            }
        }
        if given != expected {
            let show = |(code, out, err): &(i32, Vec<u8>, Vec<u8>)| {
                let text = |bytes: &[u8]| short(&String::from_utf8_lossy(bytes));
                format!("{code} {:?} {:?}", text(out), text(err))
            };
            let (given, expected) = (show(&given), show(&expected));
            let _ = writeln!(
                self.broken,
                "{}\n  here {given}\n  real {expected}",
                short(text)
            );
        }
    }
}

/// Whether there is a program of this name.
fn has(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

fn short(text: &str) -> String {
    let chars = text.chars().count();
    if chars <= 600 {
        return text.to_owned();
    }
    let start: String = text.chars().take(300).collect();
    let end: String = text.chars().skip(chars - 200).collect();
    format!("{start} … {} characters … {end}", chars - 500)
}

fn fill(root: &Path) {
    let write = |name: &str, text: &str| std::fs::write(root.join(name), text).expect("a file");
    std::fs::create_dir_all(root.join("d/d/d/d")).expect("folders");
    let mut deep = root.join("deep");
    for _ in 0..100 {
        deep.push("d");
    }
    std::fs::create_dir_all(&deep).expect("deep folders");
    write("a.txt", "a b\nb a\n\na\tb\tc\né\nlast");
    write("d/b.txt", "aa\nab\n");
    write("one", &"a".repeat(1 << 20));
    write("lines", &"aab abc a\nb\n".repeat(100_000));
}

/// The most that was ever in memory.
fn peak() -> usize {
    // SAFETY: plain integers, for which zeroes are valid; the kernel fills them.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    usage.ru_maxrss as usize * 1024
}

/// How long a pass over what a call may hold takes here, with the memory for it.
fn pass() -> Duration {
    let began = computed();
    let whole = vec![1u8; MEMORY / 2];
    let total: usize = whole
        .iter()
        .map(|byte| usize::from(std::hint::black_box(*byte)))
        .sum();
    assert_eq!(total, MEMORY / 2);
    drop(whole);
    computed() - began
}

/// The time that this thread has computed.
fn computed() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What a call takes beyond all reason ends this process.
fn restrict_memory() {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("it says");
    let pages: u64 = pages
        .split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("a number");
    let most = pages * 4096 + (3 << 30);
    let limit = libc::rlimit {
        rlim_cur: most,
        rlim_max: most,
    };
    // SAFETY: the kernel reads one rlimit.
    unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
}
