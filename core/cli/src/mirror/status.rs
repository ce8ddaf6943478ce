//! `curserve mirror status`: how the mirrors of this user stand.

use std::path::PathBuf;

use curserve_twin::Report;
use lexopt::{Arg, Parser};
use serde_json::json;

use super::place::{self, Lock};
use crate::Failure;

/// Run the verb.
///
/// # Errors
/// A wrong word of the command line, or a folder that is not mirrored.
pub fn run(mut parser: Parser) -> Result<(), Failure> {
    let (mut root, mut is_json) = (None, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("root") => root = Some(PathBuf::from(parser.value()?)),
            Arg::Long("json") => is_json = true,
            _ => return Err(argument.unexpected().into()),
        }
    }
    let base = place::base()?;
    let folders: Vec<PathBuf> = match &root {
        Some(root) => {
            let real = root.canonicalize().unwrap_or_else(|_| root.clone());
            vec![place::of_workspace(&base, &real)]
        }
        None => {
            let found = std::fs::read_dir(base.join("workspaces"))
                .into_iter()
                .flatten();
            let mut found: Vec<PathBuf> = found.flatten().map(|entry| entry.path()).collect();
            found.sort();
            found
        }
    };
    let reports: Vec<(bool, Report)> = folders
        .iter()
        .filter_map(|folder| {
            let text = std::fs::read(folder.join("status.json")).ok()?;
            let runs = matches!(Lock::take(&folder.join("lock")), Ok(None));
            Some((runs, serde_json::from_slice(&text).ok()?))
        })
        .collect();
    if let (Some(root), true) = (&root, reports.is_empty()) {
        let what = "is not mirrored; `curserve mirror ssh://HOST/ --root DIR` mirrors it";
        return Err(Failure::Setup(format!(
            "mirror status: {} {what}",
            root.display()
        )));
    }
    if is_json {
        let all: Vec<_> = reports
            .iter()
            .map(|(runs, report)| json!({"runs": runs, "report": report}))
            .collect();
        println!("{}", json!(all));
        return Ok(());
    }
    if reports.is_empty() {
        println!("nothing is mirrored");
    }
    for (runs, report) in &reports {
        if !runs {
            println!(
                "curserve mirror: {} -> {}: does not run",
                report.root, report.target
            );
            continue;
        }
        println!("{}", report.line());
        println!(
            "  sent {} bytes, received {}; {} calls run here",
            report.sent_bytes, report.received_bytes, report.calls_run
        );
        for (why, count) in &report.withheld {
            println!("  {count} files by name only: {why}");
        }
        for (path, what) in &report.conflicts {
            println!("  {path} was changed on both sides: {what}");
        }
        if let Some(trouble) = &report.trouble {
            println!("  {trouble}; trying again");
        }
    }
    Ok(())
}
