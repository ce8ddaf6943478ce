//! What agents need to look on PATH: switches for one run, by environment or by a private settings file.
//!
//! docs/CURSERVE.md has the same table in words. Nothing of the user's is written.

use std::ffi::OsString;
use std::path::Path;

use serde_json::{json, Value};

/// What one agent needs.
pub struct Agent {
    /// The name of its program.
    name: &'static str,
    /// Variables to be set.
    environment: &'static [(&'static str, &'static str)],
    /// It starts `$SHELL`, so that has to be a shim.
    by_shell: bool,
    /// A file of settings above the user's: the variable that names it, where it lies otherwise, and the paths of keys that
    /// are to be in it.
    settings: Option<Settings>,
}

struct Settings {
    variable: &'static str,
    otherwise: &'static str,
    /// All of them are turned off.
    switches: &'static [&'static [&'static str]],
}

const AGENTS: [Agent; 3] = [
    Agent {
        name: "claude",
        environment: &[("USE_BUILTIN_RIPGREP", "0")],
        by_shell: true,
        settings: None,
    },
    Agent {
        name: "opencode",
        environment: &[],
        by_shell: true,
        settings: None,
    },
    Agent {
        name: "qwen",
        environment: &[],
        by_shell: false,
        settings: Some(Settings {
            variable: "QWEN_CODE_SYSTEM_SETTINGS_PATH",
            otherwise: "/etc/qwen-code/settings.json",
            switches: &[
                &["tools", "useBuiltinRipgrep"],
                // Its shell is given a terminal else, and what programs write there is the real ones' alone.
                &["tools", "shell", "enableInteractiveShell"],
            ],
        }),
    },
];

/// The agent that `program` starts, if it needs anything.
pub fn of(program: &Path) -> Option<&'static Agent> {
    let name = program.file_name()?;
    AGENTS.iter().find(|agent| name == agent.name)
}

impl Agent {
    /// Whether its shell is `$SHELL`.
    pub fn starts_its_shell(&self) -> bool {
        self.by_shell
    }

    /// The variables to be set; files that they name are made in `folder`. None of them replaces the user's own.
    ///
    /// # Errors
    /// Where a file cannot be made, or the one that it would stand in for cannot be read.
    pub fn variables(&self, folder: &Path) -> Result<Vec<(OsString, OsString)>, String> {
        let is_free = |name: &str| std::env::var_os(name).is_none();
        let mut set: Vec<(OsString, OsString)> = self
            .environment
            .iter()
            .filter(|(name, _)| is_free(name))
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        if let Some(settings) = &self.settings {
            let present =
                std::env::var_os(settings.variable).unwrap_or_else(|| settings.otherwise.into());
            let path = folder.join("settings.json");
            let text = settings.added_to(Path::new(&present))?;
            std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
            set.push((settings.variable.into(), path.into()));
        }
        Ok(set)
    }
}

impl Settings {
    /// What stands in the file `present`, and this setting.
    fn added_to(&self, present: &Path) -> Result<String, String> {
        let mut all: Value = match std::fs::read(present) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                format!(
                    "{}: {error}; its settings stay, and the agent's own rg",
                    present.display()
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => json!({}),
            Err(error) => return Err(format!("{}: {error}", present.display())),
        };
        for keys in self.switches {
            turn_off(&mut all, keys).map_err(|why| format!("{}: {why}", present.display()))?;
        }
        Ok(all.to_string())
    }
}

/// Sets what these keys lead to to false, unless it is set.
fn turn_off(settings: &mut Value, keys: &[&str]) -> Result<(), String> {
    let [key, further @ ..] = keys else {
        return Ok(());
    };
    let object = settings
        .as_object_mut()
        .ok_or_else(|| format!("no object of settings around {key}"))?;
    match further {
        [] => drop(object.entry(*key).or_insert(false.into())),
        _ => turn_off(object.entry(*key).or_insert_with(|| json!({})), further)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_added_and_none_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.json");
        let settings = AGENTS[2].settings.as_ref().unwrap();
        let added = || settings.added_to(&file).unwrap();
        let shell = r#""shell":{"enableInteractiveShell":false}"#;
        assert_eq!(
            added(),
            format!(r#"{{"tools":{{{shell},"useBuiltinRipgrep":false}}}}"#)
        );
        std::fs::write(&file, r#"{"a":1,"tools":{"x":2}}"#).unwrap();
        assert_eq!(
            added(),
            format!(r#"{{"a":1,"tools":{{{shell},"useBuiltinRipgrep":false,"x":2}}}}"#)
        );
        let own = r#"{"tools":{"shell":{"enableInteractiveShell":true},"useBuiltinRipgrep":true}}"#;
        std::fs::write(&file, own).unwrap();
        assert_eq!(added(), own);
        std::fs::write(&file, r#"{"tools":{"shell":1}}"#).unwrap();
        assert!(settings.added_to(&file).is_err());
        std::fs::write(&file, "// a comment\n{}").unwrap();
        assert!(settings.added_to(&file).is_err());
    }

    #[test]
    fn an_agent_is_known_by_its_program() {
        assert!(of(Path::new("/usr/bin/qwen")).is_some());
        assert!(of(Path::new("make")).is_none());
    }
}
