//! Pathname expansion: sorted by byte, as bash sorts in C.UTF-8.

use curserve_corpus::{Entry, Errno, Kind};
use curserve_text::fnmatch::Pattern;

use crate::state::Shell;
use crate::Refusal;

impl Shell<'_> {
    /// The paths that match `pattern` (quoted characters behind backslashes), sorted; none where nothing matches.
    ///
    /// # Errors
    /// Where it leads outside the root, its characters depend on the locale, or a file may have been written before.
    pub fn glob(&mut self, pattern: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
        self.unwritten()?;
        if memchr::memmem::find(pattern, b"//").is_some() || pattern.ends_with(b"\\") {
            return Err(Refusal::new("a glob with double slashes"));
        }
        let (mut found, rest) = match pattern.strip_prefix(b"/") {
            Some(rest) => (vec![b"/".to_vec()], rest),
            None => (vec![Vec::new()], pattern),
        };
        let mut parts = rest.split(|&b| b == b'/').peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            let mut next = Vec::new();
            for prefix in found {
                if part.is_empty() {
                    // A slash at the end wants folders.
                    if self.kind(&prefix, true)? == Some(Kind::Folder) {
                        next.push(prefix);
                    }
                } else {
                    self.step_into(&prefix, part, last, &mut next)?;
                }
                if next.len() > 200_000 {
                    return Err(Refusal::new("a glob with too many matches"));
                }
            }
            found = next;
        }
        found.sort_unstable();
        Ok(found)
    }

    fn step_into(
        &mut self,
        prefix: &[u8],
        part: &[u8],
        last: bool,
        next: &mut Vec<Vec<u8>>,
    ) -> Result<(), Refusal> {
        let compiled = Pattern::of_bash(part, true)?;
        let joined = |name: &[u8]| [prefix, name, if last { &b""[..] } else { b"/" }].concat();
        if let Some(name) = compiled.literal() {
            let path = joined(name);
            let there = if last {
                self.kind(&path, false)?.is_some()
            } else {
                self.kind(&path, true)?.is_some()
            };
            if there {
                self.take(path.len() + size_of::<Vec<u8>>())?;
                next.push(path);
            }
            return Ok(());
        }
        let folder = if prefix.is_empty() { &b"."[..] } else { prefix };
        let snapshot = self.snapshot;
        let node = match snapshot.resolve(&self.vars.cwd, folder, true) {
            Ok(node) if node.kind() == Kind::Folder => node,
            Ok(_) => return Ok(()),
            Err(Errno::Outside) => return Err(Refusal::Outside("a glob outside the root".into())),
            Err(_) => return Ok(()),
        };
        let dots = part.starts_with(b".") || part.starts_with(b"\\.");
        for Entry { name, kind, .. } in node
            .entries()
            .map_err(|_| Refusal::NotInMemory("a folder not in memory".into()))?
        {
            self.watch.pass(name.len())?;
            if name.starts_with(b".") && !dots || !compiled.matches(name)? {
                continue;
            }
            let path = joined(name);
            let is_folder = match kind {
                Kind::Folder => true,
                Kind::Link if !last => self.kind(&path, true)? == Some(Kind::Folder),
                _ => false,
            };
            if last || is_folder {
                self.take(path.len() + size_of::<Vec<u8>>())?;
                next.push(path);
            }
        }
        Ok(())
    }

    fn kind(&self, path: &[u8], follow: bool) -> Result<Option<Kind>, Refusal> {
        match self.snapshot.resolve(&self.vars.cwd, path, follow) {
            Ok(node) => Ok(Some(node.kind())),
            Err(Errno::Outside) => Err(Refusal::Outside("a glob outside the root".into())),
            Err(_) => Ok(None),
        }
    }
}
