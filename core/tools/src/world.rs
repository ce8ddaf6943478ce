//! What a tool sees of the machine besides the workspace: names of users, environment.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The pinned world of a session, as the commands in it see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// Names of users by uid (`/etc/passwd` inside the sandbox); all of them: a uid without a name shows as its number.
    pub users: Vec<(u32, String)>,
    /// Names of groups by gid.
    pub groups: Vec<(u32, String)>,
    /// Who runs the commands.
    pub uid: u32,
    /// The group that runs the commands.
    pub gid: u32,
    /// The user and group of this machine that are `uid` and `gid` in here, all others being unknown, as in a user
    /// namespace; None: the ids are this machine's own.
    pub mapped: Option<(u32, u32)>,
    /// The whole environment of a command.
    pub environment: Vec<(String, String)>,
    /// The programs whose version here is not known, and why: none of them is imitated. Empty: it has not been asked yet.
    pub unknown: Arc<OnceLock<BTreeMap<String, String>>>,
}

/// The id that a user namespace shows for one that it does not map.
const UNMAPPED: u32 = 65534;

impl Default for World {
    fn default() -> Self {
        World::pinned()
    }
}

impl World {
    /// The world of the sandbox: user `curserve`, and the pinned environment.
    pub fn pinned() -> Self {
        let named = |list: &[(u32, &str)]| {
            list.iter()
                .map(|(id, name)| (*id, (*name).to_string()))
                .collect()
        };
        World {
            users: named(&[(0, "root"), (1000, "curserve"), (65534, "nobody")]),
            groups: named(&[(0, "root"), (1000, "curserve"), (65534, "nogroup")]),
            uid: 1000,
            gid: 1000,
            mapped: None,
            environment: curserve_pinned::environment(),
            unknown: Arc::new(OnceLock::from(BTreeMap::new())),
        }
    }

    /// The world of the sandbox as seen from outside it: files of `user` and `group` are `curserve`'s.
    pub fn of_the_sandbox(user: u32, group: u32) -> Self {
        World {
            mapped: Some((user, group)),
            ..World::pinned()
        }
    }

    /// The same world in the C locale.
    pub fn in_c(&self) -> Self {
        let mut world = self.clone();
        for (_, value) in world
            .environment
            .iter_mut()
            .filter(|(name, _)| name == "LC_ALL")
        {
            *value = "C".to_string();
        }
        world
    }

    /// The same world on a machine whose programs have yet to be asked for their versions.
    pub fn unasked(self) -> Self {
        World {
            unknown: Arc::default(),
            ..self
        }
    }

    /// Why `program` is not imitated; None where it is.
    pub fn refuses(&self, program: &[u8]) -> Option<String> {
        let Some(unknown) = self.unknown.get() else {
            return Some("the versions of the programs here have not been asked yet".to_owned());
        };
        let why = unknown.get(std::str::from_utf8(program).ok()?)?;
        Some(format!("a version that is not known: {why}"))
    }

    /// Whether the locale is C.
    pub fn is_c(&self) -> bool {
        self.environment
            .iter()
            .any(|(name, value)| name == "LC_ALL" && value == "C")
    }

    /// A file's owner and group as commands in here see them.
    pub fn owner(&self, uid: u32, gid: u32) -> (u32, u32) {
        let seen = |id, ours, inside| if id == ours { inside } else { UNMAPPED };
        match self.mapped {
            None => (uid, gid),
            Some((user, group)) => (seen(uid, user, self.uid), seen(gid, group, self.gid)),
        }
    }

    /// The pinned world, but with the users and groups of this process and of the files under `/etc`.
    pub fn of_this_machine() -> Self {
        let read = |path: &str| -> Vec<(u32, String)> {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let entry = |line: &str| {
                let mut fields = line.split(':');
                let name = fields.next()?.to_string();
                Some((fields.nth(1)?.parse().ok()?, name))
            };
            text.lines().filter_map(entry).collect()
        };
        // SAFETY: geteuid and getegid take nothing and cannot fail.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        World {
            users: read("/etc/passwd"),
            groups: read("/etc/group"),
            uid,
            gid,
            ..World::pinned()
        }
    }

    /// A user's name; the number where it has none, or with `numeric`.
    pub fn user(&self, uid: u32, numeric: bool) -> Cow<'_, str> {
        name(&self.users, uid, numeric)
    }

    /// A group's name; the number where it has none, or with `numeric`.
    pub fn group(&self, gid: u32, numeric: bool) -> Cow<'_, str> {
        name(&self.groups, gid, numeric)
    }
}

fn name(names: &[(u32, String)], id: u32, numeric: bool) -> Cow<'_, str> {
    let known = names.iter().find(|(known, _)| *known == id && !numeric);
    known.map_or_else(|| id.to_string().into(), |(_, name)| name.as_str().into())
}
