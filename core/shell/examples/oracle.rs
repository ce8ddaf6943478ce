//! Runs recorded calls through the shell here and through the real `bash -c`, and compares: `cargo run --release -p
//! curserve-shell --example oracle -- --root DIR --calls FILE.jsonl [--repo NAME] [--show different|refused]`.
//!
//! A line of FILE is an object with `command`, and maybe `cwd` and `repo`. Folders of the recording become the root's:
//! the first `/testbed`, or what stands in `cwd`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use curserve_corpus::{Corpus, Options};
use curserve_shell::{run_in, Limits, World};

type Error = Box<dyn std::error::Error>;

struct Args {
    root: PathBuf,
    calls: PathBuf,
    repo: Option<String>,
    show: Option<String>,
}

fn args() -> Result<Args, Error> {
    let mut words = std::env::args().skip(1);
    let (mut root, mut calls, mut repo, mut show) = (None, None, None, None);
    while let Some(word) = words.next() {
        let value = words.next().ok_or("oracle: every option takes a value")?;
        match word.as_str() {
            "--root" => root = Some(PathBuf::from(value).canonicalize()?),
            "--calls" => calls = Some(PathBuf::from(value)),
            "--repo" => repo = Some(value),
            "--show" => show = Some(value),
            other => return Err(format!("oracle: unknown option {other}").into()),
        }
    }
    Ok(Args {
        root: root.ok_or("oracle: --root is needed")?,
        calls: calls.ok_or("oracle: --calls is needed")?,
        repo,
        show,
    })
}

fn main() -> Result<(), Error> {
    let args = args()?;
    let root = args
        .root
        .to_str()
        .ok_or("oracle: the root's name is not UTF-8")?;
    let corpus = Corpus::load(&args.root, Options::default())?;
    let world = World::of_this_machine();
    let (mut total, mut answered, mut identical) = (0u32, 0u32, 0u32);
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    let mut ratios = Vec::new();
    let (mut ours, mut theirs) = (Duration::ZERO, Duration::ZERO);
    for line in std::fs::read_to_string(&args.calls)?.lines() {
        let call: serde_json::Value = serde_json::from_str(line)?;
        if args
            .repo
            .as_deref()
            .is_some_and(|repo| call["repo"].as_str() != Some(repo))
        {
            continue;
        }
        let Some(command) = call["command"].as_str() else {
            continue;
        };
        let mut command = command.replace("/testbed", root);
        if let Some(cwd) = call["cwd"].as_str().filter(|c| c.len() > 1) {
            command = command.replace(cwd, root);
        }
        total += 1;
        let snapshot = corpus.snapshot()?;
        let start = Instant::now();
        let answer = run_in(
            &world,
            &snapshot,
            &command,
            root.as_bytes(),
            Limits::default(),
        );
        let took = start.elapsed();
        let answer = match answer {
            Ok(answer) => answer,
            Err(refusal) => {
                if args.show.as_deref() == Some("refused") {
                    println!("REFUSED {refusal}: {command}");
                }
                *reasons.entry(refusal.to_string()).or_default() += 1;
                continue;
            }
        };
        answered += 1;
        let start = Instant::now();
        let real = Command::new("bash")
            .args(["-c", &command])
            .current_dir(root)
            .env_clear()
            .envs(world.environment.iter().cloned())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::null())
            .output()?;
        let real_took = start.elapsed();
        ours += took;
        theirs += real_took;
        ratios.push((real_took.as_secs_f64() / took.as_secs_f64()).ln());
        let code = real.status.code().unwrap_or(-1);
        if (answer.exit_code, &answer.stdout, &answer.stderr) == (code, &real.stdout, &real.stderr)
        {
            identical += 1;
        } else if args.show.as_deref() == Some("different") {
            println!(
                "DIFFERENT {command}\n  here  {} {} {}",
                answer.exit_code,
                brief(&answer.stdout),
                brief(&answer.stderr)
            );
            println!(
                "  real  {code} {} {}",
                brief(&real.stdout),
                brief(&real.stderr)
            );
            if let Some(at) = answer
                .stdout
                .iter()
                .zip(&real.stdout)
                .position(|(a, b)| a != b)
            {
                let end = |s: &[u8]| brief(&s[at.saturating_sub(40)..(at + 80).min(s.len())]);
                println!(
                    "  from byte {at}: {} / {}",
                    end(&answer.stdout),
                    end(&real.stdout)
                );
            }
        }
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|r| std::cmp::Reverse(r.1));
    for (reason, n) in reasons.iter().take(40) {
        println!("{n:6}  {reason}");
    }
    ratios.sort_by(f64::total_cmp);
    let mean = (ratios.iter().sum::<f64>() / ratios.len().max(1) as f64).exp();
    let worst = ratios.get(ratios.len() / 100).map_or(0.0, |r| r.exp());
    println!("{total} calls: {answered} answered, {identical} identical; here {ours:?}, real {theirs:?}; geometric mean {mean:.0}x, worst percentile {worst:.1}x");
    Ok(())
}

fn brief(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let cut: String = text.chars().take(200).collect();
    format!("{}:{cut:?}", bytes.len())
}
