//! Which files rg would search below a folder: ignore rules, hidden names, globs and types.

// Nodes are hashed and compared by their ids, which nothing changes.
#![allow(clippy::mutable_key_type)]

use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use curserve_corpus::{Chosen, Content, Entry, IdMap, Kind, Node, Snapshot, Unreadable, Verdict};
use curserve_index::{Query, Within};
use ignore::overrides::{Override, OverrideBuilder};
use ignore::types::{Types, TypesBuilder};

use super::options::{refuse, Options, Sort};
use crate::{Deadline, Refusal, Watch};

/// A file to search, known by this name.
pub(super) struct File<'s> {
    pub(super) name: Vec<u8>,
    /// Given on the command line.
    pub(super) explicit: bool,
    source: Source<'s>,
    /// Only these bytes may match, whole lines; None: any.
    parts: Option<Box<[Range<usize>]>>,
}

enum Source<'s> {
    Node(Node<'s>),
    Stdin(Content),
}

impl<'s> File<'s> {
    pub(super) fn explicit(node: Node<'s>, name: Vec<u8>) -> Self {
        File {
            name,
            explicit: true,
            source: Source::Node(node),
            parts: None,
        }
    }

    pub(super) fn stdin(bytes: Vec<u8>) -> Self {
        File {
            name: b"<stdin>".to_vec(),
            explicit: true,
            source: Source::Stdin(Content::owned(bytes)),
            parts: None,
        }
    }

    pub(super) fn is_stdin(&self) -> bool {
        matches!(self.source, Source::Stdin(_))
    }

    pub(super) fn content(&self) -> Result<&Content, Unreadable> {
        match &self.source {
            Source::Node(node) => node.bytes(),
            Source::Stdin(content) => Ok(content),
        }
    }

    /// The only bytes that may match, whole lines; None: any.
    pub(super) fn parts(&self) -> Option<&[Range<usize>]> {
        self.parts.as_deref()
    }

    /// About how many bytes must be looked at.
    pub(super) fn bytes_to_search(&self) -> usize {
        match self.parts() {
            Some(parts) => parts.iter().map(ExactSizeIterator::len).sum(),
            None => self.content().map_or(0, |content| content.len()),
        }
    }
}

/// `--sort` and `--sortr`; ascending paths are sorted as each operand is walked, the others over all.
pub(super) fn sort(files: &mut [File<'_>], sort: Option<(Sort, bool)>) {
    let modified = |file: &File<'_>| match &file.source {
        Source::Node(node) => node.meta().mtime,
        Source::Stdin(_) => (0, 0),
    };
    match sort {
        None => {}
        Some((Sort::Path, false)) => files.sort_by(|a, b| {
            a.name
                .split(|&b| b == b'/')
                .cmp(b.name.split(|&b| b == b'/'))
        }),
        Some((Sort::Path, true)) => files.sort_by(|a, b| {
            Path::new(OsStr::from_bytes(&b.name)).cmp(Path::new(OsStr::from_bytes(&a.name)))
        }),
        Some((Sort::Modified, false)) => files.sort_by_key(modified),
        Some((Sort::Modified, true)) => files.sort_by_key(|file| std::cmp::Reverse(modified(file))),
    }
}

/// More globs are refused.
const GLOBS: usize = 256;

/// Whether a glob is longer, or has more alternatives within alternatives, than the crate that reads it bears.
fn is_deep(glob: &str) -> bool {
    const LONGEST: usize = 4 << 10;
    const BRACES: usize = 32;
    glob.len() > LONGEST || glob.bytes().filter(|&b| b == b'{').count() > BRACES
}

/// Refuses what the real program says of globs and types before it looks at any path.
pub(super) fn check(options: &Options) -> Result<(), Refusal> {
    overrides(options, b"/")?;
    types(options).map(drop)
}

/// The `-g` and `--iglob` of a walk from `cwd`.
fn overrides(options: &Options, cwd: &[u8]) -> Result<Override, Refusal> {
    if options.globs.len() > GLOBS || options.globs.iter().any(|(glob, _)| is_deep(glob)) {
        return refuse("globs that are many or nested deeply");
    }
    let mut overrides = OverrideBuilder::new(OsStr::from_bytes(cwd));
    // As rg does: all -g first, then all --iglob.
    for insensitive in [false, true] {
        if overrides.case_insensitive(insensitive).is_err() {
            return refuse("globs");
        }
        let globs = options.globs.iter();
        for (glob, _) in globs.filter(|(_, iglob)| *iglob == insensitive) {
            if overrides.add(glob).is_err() {
                return refuse("a glob that does not parse");
            }
        }
    }
    let built = overrides.build();
    built.or_else(|_| refuse("a glob that is not known"))
}

/// The `-t` and `-T` of a walk.
fn types(options: &Options) -> Result<Types, Refusal> {
    let mut types = TypesBuilder::new();
    if !options.types.is_empty() {
        types.add_defaults();
    }
    for (name, select) in &options.types {
        match select {
            true => types.select(name),
            false => types.negate(name),
        };
    }
    types
        .build()
        .or_else(|_| refuse("a type that is not known"))
}

/// `path` seen from `cwd`, no link followed.
fn lexical(cwd: &[u8], path: &[u8]) -> Vec<u8> {
    let from = if path.starts_with(b"/") {
        &b""[..]
    } else {
        cwd
    };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in from.split(|&b| b == b'/').chain(path.split(|&b| b == b'/')) {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    [b"/", parts.join(&b'/').as_slice()].concat()
}

/// The rules of one walk.
pub(super) struct Filter<'f, 's> {
    snapshot: &'s Snapshot,
    options: &'f Options,
    overrides: Override,
    types: Types,
}

impl<'f, 's> Filter<'f, 's> {
    pub(super) fn new(
        snapshot: &'s Snapshot,
        options: &'f Options,
        (cwd, operand): (&[u8], &[u8]),
        folder: Node<'s>,
    ) -> Result<Self, Refusal> {
        if !options.no_ignore && !snapshot.knows_rules() {
            return refuse("ignore rules that are not known here");
        }
        if !options.no_ignore && snapshot.has_rules_above() {
            return refuse("ignore rules above the root");
        }
        let cwd = snapshot.resolve(cwd, b".", true).map(|node| node.path());
        let Ok(cwd) = cwd else {
            return refuse("a working folder that is not there");
        };
        let below = folder.path();
        // Globs, and rules of folders above, are held against the path as it was given.
        let through_link = lexical(&cwd, operand) != below;
        if through_link && (!options.globs.is_empty() || !options.no_ignore && snapshot.has_rules())
        {
            return refuse("globs or ignore rules over a folder that a link leads to");
        }
        let inside = below == cwd
            || below
                .strip_prefix(cwd.as_slice())
                .is_some_and(|rest| rest.starts_with(b"/"));
        if !inside
            && options
                .globs
                .iter()
                .any(|(glob, _)| glob.trim_start_matches('!').contains('/'))
        {
            return refuse("globs with slashes over a folder that is not below the working folder");
        }
        Ok(Filter {
            snapshot,
            options,
            overrides: overrides(options, &cwd)?,
            types: types(options)?,
        })
    }

    /// What is said, once, of lines of ignore files that do not parse, before anything is found below `folder`, which the
    /// command line calls `operand`. Where such lines stand in another folder that is walked, or above, its place among the
    /// output, and the exit status, are not known.
    pub(super) fn complaint(
        &self,
        folder: Node<'s>,
        operand: &[u8],
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let mut said = None;
        if self.options.no_ignore {
            return Ok(said);
        }
        for (place, rules) in self.snapshot.broken_rules() {
            let rules = rules
                .iter()
                .filter(|rule| !rule.vcs || !self.options.no_vcs);
            let is_above = |one: Node<'_>, other: Node<'_>| {
                std::iter::successors(other.parent(), Node::parent).any(|above| above == one)
            };
            let concerned = rules.clone().next().is_some();
            if place == folder && concerned {
                let slash: &[u8] = if operand.ends_with(b"/") { b"" } else { b"/" };
                let mut text = b"rg".to_vec();
                for (at, rule) in rules.enumerate() {
                    text.extend_from_slice(if at == 0 { b": " } else { b"\n" });
                    text.extend_from_slice(&[operand, slash].concat());
                    text.extend_from_slice(format!("{}: {}", rule.file, rule.said).as_bytes());
                }
                text.push(b'\n');
                said = Some(text);
            } else if concerned && (is_above(place, folder) || is_above(folder, place)) {
                return refuse("ignore rules that do not parse");
            }
        }
        Ok(said)
    }

    /// Appends the files below `folder` that pass, and may match `query`.
    pub(super) fn files(
        &self,
        folder: Node<'s>,
        prefix: &[u8],
        (query, within): (&Query, Within),
        deadline: Deadline,
        into: &mut Vec<File<'s>>,
    ) -> Result<(), Refusal> {
        let Some(chosen) = self.snapshot.files_below(folder, query, within) else {
            return refuse("something that cannot be read");
        };
        let mut start = prefix.to_vec();
        if !start.is_empty() && !start.ends_with(b"/") {
            start.push(b'/');
        }
        let mut base = folder.path();
        if base != b"/" {
            base.push(b'/');
        }
        let mut folders = IdMap::from_iter([(folder, Some(Vec::new()))]);
        let mut watch = Watch::new(deadline);
        for Chosen { node, parts } in chosen {
            watch.pass(node.name().len())?;
            let Some(parent) = node.parent() else {
                continue;
            };
            self.enter(parent, &base, &mut folders)?;
            let Some(above) = &folders[&parent] else {
                continue;
            };
            let relative = [above, node.name()].concat();
            if self.is_too_deep(above) {
                continue;
            }
            if self.passes(node, &base, &relative)? {
                let name = match start.is_empty() {
                    true => relative,
                    false => [start.as_slice(), &relative].concat(),
                };
                into.push(File {
                    name,
                    explicit: false,
                    source: Source::Node(node),
                    parts,
                });
            }
        }
        Ok(())
    }

    /// Whether any file below `folder` passes.
    pub(super) fn passes_any(&self, folder: Node<'s>) -> Result<bool, Refusal> {
        let mut base = folder.path();
        if base != b"/" {
            base.push(b'/');
        }
        self.any_in(folder, &base, &[])
    }

    fn any_in(&self, folder: Node<'s>, base: &[u8], above: &[u8]) -> Result<bool, Refusal> {
        if self.is_too_deep(above) {
            return Ok(false);
        }
        let Ok(entries) = folder.entries() else {
            return refuse("something that cannot be read");
        };
        for Entry { name, kind, node } in entries {
            let relative = [above, name].concat();
            let found = match kind {
                Kind::File => self.passes(node, base, &relative)?,
                Kind::Folder if self.passes(node, base, &relative)? => {
                    self.any_in(node, base, &[relative.as_slice(), b"/"].concat())?
                }
                _ => false,
            };
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether what lies in the folder `above`, a path that ends in a slash unless it is empty, is beyond `--max-depth`.
    fn is_too_deep(&self, above: &[u8]) -> bool {
        let depth = || 1 + memchr::memchr_iter(b'/', above).count();
        self.options.max_depth.is_some_and(|most| depth() > most)
    }

    /// Decides about `folder` and those above it, up to one that is decided.
    fn enter(
        &self,
        folder: Node<'s>,
        base: &[u8],
        folders: &mut IdMap<Node<'s>, Option<Vec<u8>>>,
    ) -> Result<(), Refusal> {
        if folders.contains_key(&folder) {
            return Ok(());
        }
        let Some(parent) = folder.parent() else {
            return refuse("a folder out of place");
        };
        self.enter(parent, base, folders)?;
        let decided = match &folders[&parent] {
            None => None,
            Some(above) => {
                let relative = [above, folder.name()].concat();
                self.passes(folder, base, &relative)?
                    .then(|| [relative.as_slice(), b"/"].concat())
            }
        };
        folders.insert(folder, decided);
        Ok(())
    }

    /// The precedence of the `ignore` crate's `Ignore::matched`: globs, then ignore files, then types, then hidden.
    fn passes(&self, node: Node<'s>, base: &[u8], relative: &[u8]) -> Result<bool, Refusal> {
        let is_folder = node.kind() == Kind::Folder;
        let path = || [base, relative].concat();
        if node.name().ends_with(b".") {
            // The real program takes such a path for one without a name, here and there.
            return refuse("a name that ends in a dot");
        }
        if !self.overrides.is_empty() {
            let matched = self
                .overrides
                .matched(OsStr::from_bytes(&path()), is_folder);
            if !matched.is_none() {
                return Ok(matched.is_whitelist());
            }
        }
        let mut whitelisted = false;
        if !self.options.no_ignore {
            match self.snapshot.verdict(node, !self.options.no_vcs) {
                Some(Verdict::Ignore) => return Ok(false),
                Some(Verdict::Whitelist) => whitelisted = true,
                Some(Verdict::None) => {}
                None => return refuse("ignore rules that are not known here"),
            }
        }
        if !self.types.is_empty() {
            let matched = self.types.matched(OsStr::from_bytes(&path()), is_folder);
            if matched.is_ignore() {
                return Ok(false);
            }
            whitelisted |= matched.is_whitelist();
        }
        Ok(whitelisted || self.options.hidden || !node.name().starts_with(b"."))
    }
}
