//! Asks programs for their versions, and remembers what they said: a program is asked again when its file has changed.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of what it says is read.
const MOST: u64 = 4096;

/// What a program was and said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    device: u64,
    inode: u64,
    changed: (i64, i64),
    said: String,
}

impl Known {
    fn is_of(&self, meta: &Metadata) -> bool {
        let changed = (meta.ctime(), meta.ctime_nsec());
        (self.device, self.inode, self.changed) == (meta.dev(), meta.ino(), changed)
    }
}

/// The first line that each of `programs` prints when it is asked for its version, or why it prints none; looked for in `folders`.
///
/// What is in the file `cache` is not asked again while device, inode and time of change of the program are the same; what is
/// asked is added to it. A cache that cannot be read or written is none.
pub fn ask<'p>(
    programs: impl Iterator<Item = &'p str>,
    folders: &[PathBuf],
    cache: Option<&Path>,
) -> BTreeMap<&'p str, Result<String, String>> {
    let read = cache.and_then(|file| std::fs::read(file).ok());
    let kept: BTreeMap<PathBuf, Known> = read
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    let mut known = kept.clone();
    let mut said = BTreeMap::new();
    for program in programs {
        said.insert(program, one(program, folders, &mut known));
    }
    if let (Some(file), true) = (cache, known != kept) {
        let _ = keep(file, &known);
    }
    said
}

fn one(
    program: &str,
    folders: &[PathBuf],
    known: &mut BTreeMap<PathBuf, Known>,
) -> Result<String, String> {
    let runs = |path: &PathBuf| {
        let meta = path.metadata().ok()?;
        (meta.is_file() && meta.permissions().mode() & 0o111 != 0).then_some(meta)
    };
    let found = folders.iter().map(|folder| folder.join(program));
    let found = found.filter_map(|path| runs(&path).map(|meta| (path, meta)));
    let Some((path, meta)) = found.into_iter().next() else {
        return Err(format!("{program} is not installed"));
    };
    if let Some(known) = known.get(&path).filter(|known| known.is_of(&meta)) {
        return Ok(known.said.clone());
    }
    let said =
        say(&path).map_err(|why| format!("{} does not say its version: {why}", path.display()))?;
    let entry = Known {
        device: meta.dev(),
        inode: meta.ino(),
        changed: (meta.ctime(), meta.ctime_nsec()),
        said: said.clone(),
    };
    known.insert(path, entry);
    Ok(said)
}

/// Runs `path --version`, or what it takes instead; its first line.
fn say(path: &Path) -> Result<String, String> {
    let mut child = Command::new(path)
        // Some say their name as they were called.
        .arg0(path.file_name().unwrap_or_default())
        .args(question(path))
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let output = child.stdout.take();
    let (sender, receiver) = std::sync::mpsc::channel();
    // A thread of its own, since a program that says nothing and does not end would hold us.
    std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(output) = output {
            let _ = output.take(MOST).read_to_end(&mut text);
        }
        let _ = sender.send(text);
    });
    let due = Instant::now() + PATIENCE;
    let text = receiver.recv_timeout(PATIENCE);
    while !matches!(child.try_wait(), Ok(Some(_))) {
        if Instant::now() >= due {
            let _ = child.kill();
            let _ = child.wait();
            return Err("it does not end".to_owned());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err("it prints nothing".to_owned()),
    }
}

/// What a program is asked: mawk takes no `--version`, but every awk of Debian takes its `-W version`.
fn question(path: &Path) -> &'static [&'static str] {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("awk") => &["-W", "version"],
        _ => &["--version"],
    }
}

/// Writes what is known, whole or not at all.
fn keep(file: &Path, known: &BTreeMap<PathBuf, Known>) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let beside = folder.join(format!(".versions-{}", std::process::id()));
    std::fs::write(&beside, serde_json::to_vec(known)?)?;
    std::fs::rename(&beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that says `version`, and counts how often it is asked.
    fn fake(folder: &Path, version: &str) {
        let path = folder.join("grep");
        let _ = std::fs::remove_file(&path);
        let script = format!(
            "#!/bin/sh\necho x >> '{}/asked'\necho '{version}'\n",
            folder.display()
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_program_is_asked_once_and_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache/versions.json");
        let folders = [folder.path().to_owned()];
        let ask = || {
            ask(["grep"].into_iter(), &folders, Some(&cache))
                .remove("grep")
                .unwrap()
        };
        let asked = || {
            std::fs::read(folder.path().join("asked"))
                .unwrap_or_default()
                .len()
                / 2
        };
        assert!(ask().unwrap_err().contains("not installed"));
        fake(folder.path(), "grep (GNU grep) 3.8");
        assert_eq!(ask().unwrap(), "grep (GNU grep) 3.8");
        assert_eq!(
            (ask().unwrap(), asked()),
            ("grep (GNU grep) 3.8".to_owned(), 1)
        );
        fake(folder.path(), "grep (GNU grep) 3.11");
        assert_eq!(
            (ask().unwrap(), asked()),
            ("grep (GNU grep) 3.11".to_owned(), 2)
        );
        std::fs::write(&cache, "no json").unwrap();
        assert_eq!(
            (ask().unwrap(), asked()),
            ("grep (GNU grep) 3.11".to_owned(), 3)
        );
    }

    #[test]
    fn what_says_nothing_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        fake(folder.path(), "");
        let folders = [folder.path().to_owned()];
        let said = ask(["grep"].into_iter(), &folders, None)
            .remove("grep")
            .unwrap();
        assert!(said.unwrap_err().contains("prints nothing"));
    }
}
