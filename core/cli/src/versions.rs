//! `curserve versions`: which of the programs that the daemon imitates are of a version that it knows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use curserve_exec::versions;
use curserve_tools::{imitated, World};
use lexopt::Arg;
use serde_json::json;

use crate::Failure;

/// Run the verb: an object with what each program said, and why it is not known. `--rg` names the `rg` of sessions.
///
/// # Errors
/// Arguments that the verb does not take.
pub fn run(mut parser: lexopt::Parser) -> Result<(), Failure> {
    let mut rg = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("rg") => rg = Some(PathBuf::from(parser.value()?)),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let mut report = serde_json::Map::new();
    for (program, said) in asked(rg.as_deref()) {
        let why = why(program, &said);
        let said = said.unwrap_or_default();
        report.insert(program.to_owned(), json!({ "said": said, "unknown": why }));
    }
    println!("{}", serde_json::Value::Object(report));
    Ok(())
}

/// The programs that are not known, and why.
pub fn unknown() -> BTreeMap<String, String> {
    let reason = |(program, said): (&str, Result<String, String>)| {
        why(program, &said).map(|why| (program.to_owned(), why))
    };
    asked(None).into_iter().filter_map(reason).collect()
}

fn why(program: &str, said: &Result<String, String>) -> Option<String> {
    match said {
        Ok(said) => imitated::another(program, said),
        Err(why) => Some(why.clone()),
    }
}

/// What the programs say where commands would find them: along the pinned PATH, then along this process's.
fn asked(rg: Option<&Path>) -> BTreeMap<&'static str, Result<String, String>> {
    let pinned = World::pinned().environment;
    let pinned = pinned.iter().find(|(name, _)| name == "PATH");
    let mut folders: Vec<PathBuf> =
        pinned.map_or_else(Vec::new, |(_, path)| std::env::split_paths(path).collect());
    folders.extend(
        std::env::var_os("PATH")
            .iter()
            .flat_map(std::env::split_paths),
    );
    let programs = imitated::PROGRAMS.iter().map(|(program, _)| *program);
    let cache = cache();
    let mut said = versions::ask(programs, &folders, cache.as_deref());
    if let Some(folder) = rg.and_then(Path::parent) {
        let rg = versions::ask(["rg"].into_iter(), &[folder.to_owned()], cache.as_deref());
        said.extend(rg);
    }
    said
}

/// Where is kept what they said.
pub fn cache() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = set("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")))?;
    Some(base.join("curserve/versions.json"))
}
