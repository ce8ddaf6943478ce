//! Variables: what is set, what the environment holds, and which names bash or programs heed.

use crate::names::{HEEDED, MADE_BY_BASH};
use crate::state::{Shell, Value};
use crate::Refusal;

impl Shell<'_> {
    /// A variable's value; `Ok(None)` where it is not set.
    ///
    /// # Errors
    /// Where bash sets it itself, or an earlier call may have set it.
    pub fn get(&self, name: &str) -> Result<Option<Value>, Refusal> {
        if let Some((_, value)) = self.vars.set.iter().find(|(n, _)| **n == *name) {
            return Ok(value.clone());
        }
        if self.called && (name == "OLDPWD" && self.vars.old_cwd.is_none() || is_of_locale(name)) {
            return Err(Refusal::new(format!("{name} of another's shell")));
        }
        match name {
            "PWD" => return Ok(Some(self.vars.cwd.clone().into())),
            "OLDPWD" if self.lasting && self.vars.old_cwd.is_none() => {}
            "OLDPWD" => return Ok(self.vars.old_cwd.clone().map(Value::from)),
            _ => {}
        }
        if let Some((_, value)) = self.world.environment.iter().find(|(n, _)| n == name) {
            return Ok(Some(value.clone().into_bytes().into()));
        }
        if is_shells_own(name) {
            return Err(Refusal::new(format!("the shell's own variable {name}")));
        }
        if self.lasting {
            return Err(Refusal::new(format!(
                "{name}, which an earlier call may have set"
            )));
        }
        Ok(None)
    }

    /// Whether a variable of the locale, set before a command, changes nothing: `LC_ALL` goes before it.
    pub fn is_outranked(&self, name: &str) -> bool {
        let outranks = |(known, value): &(String, String)| known == "LC_ALL" && !value.is_empty();
        !self.called && is_of_locale(name) && self.world.environment.iter().any(outranks)
    }

    /// Sets a variable, unless programs or the shell itself look at it.
    ///
    /// # Errors
    /// Where they look at it, or the memory of the call is spent.
    pub fn set(&mut self, name: &str, value: Option<Vec<u8>>) -> Result<(), Refusal> {
        let now = self.world.environment.iter().find(|(n, _)| n == name);
        if let (Some((_, now)), Some(value)) = (now, &value) {
            if now.as_bytes() == value {
                return Ok(()); // as it is already
            }
        }
        if is_shells_own(name) || is_heeded(name) || now.is_some() {
            return Err(Refusal::new(format!(
                "an assignment that changes how commands work: {name}"
            )));
        }
        let value = value
            .map(|bytes| Value::new(bytes, &self.memory))
            .transpose()?;
        match self.vars.set.iter_mut().find(|(n, _)| **n == *name) {
            Some(slot) => slot.1 = value,
            None => self.vars.set.push((name.into(), value)),
        }
        Ok(())
    }
}

/// Variables of the locale, which a world states in `LC_ALL` alone.
fn is_of_locale(name: &str) -> bool {
    name == "LANG" || name.starts_with("LC_")
}

/// Variables that bash sets itself, whose values are not known here.
fn is_shells_own(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "SHELLOPTS",
        "DIRSTACK",
        "FUNCNAME",
        "PS0",
        "PS1",
        "PS2",
        "PS3",
        "PS4",
        "COLUMNS",
        "MAILCHECK",
        "PROMPT_COMMAND",
        "TMOUT",
        "TMPDIR",
        "auto_resume",
        "histchars",
    ];
    MADE_BY_BASH.contains(&name)
        || NAMES.contains(&name)
        || ["BASH", "EPOCH", "COMP", "HIST", "READLINE"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// Variables that programs or the shell heed when they are set.
fn is_heeded(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "HOME", "LANG", "TERM", "TZ", "PWD", "OLDPWD", "FIGNORE", "FCEDIT", "EDITOR", "MAIL",
    ];
    HEEDED.contains(&name)
        || NAMES.contains(&name)
        || [
            "LC_", "GREP_", "LS_", "LD_", "TREE_", "RIPGREP_", "GIT_", "MALLOC_", "XDG_", "_POSIX",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}
