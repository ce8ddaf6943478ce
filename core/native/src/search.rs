//! `grep`: canonical arguments become an `rg` process, as in real agents, and its output gets a fixed order.

use std::collections::BTreeMap;
use std::path::Path;

use curserve_proto::{Answer, Call};
use memchr::memchr;

use crate::arguments::{flag, number, optional_text, text, texts, Wrong};

/// What a `grep` call asks for.
pub struct Search {
    arguments: Vec<String>,
    order: Order,
    limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// One file: as it comes.
    AsIs,
    /// `path NUL` items.
    Files,
    /// `path NUL count` lines.
    Counts,
    /// `path NUL number [:-] text` lines in groups.
    Lines { numbers: bool, groups: bool },
}

impl Search {
    /// Translate `call`; `is_file` tells whether a path, as commands see it, is a file.
    ///
    /// # Errors
    /// What to answer where an argument is missing or of a wrong type.
    pub fn new(call: &Call, is_file: impl Fn(&str) -> bool) -> Result<Self, Wrong> {
        let mut arguments: Vec<String> =
            vec!["rg".into(), "--no-config".into(), "--color=never".into()];
        for (name, option) in [
            ("ignore_case", "--ignore-case"),
            ("literal", "--fixed-strings"),
        ] {
            if flag(call, name, false)? {
                arguments.push(option.into());
            }
        }
        if flag(call, "multiline", false)? {
            arguments.extend(["--multiline".into(), "--multiline-dotall".into()]);
        }
        if flag(call, "hidden", false)? {
            arguments.extend(["--hidden".into(), "--glob=!.git".into()]);
        }
        arguments.extend(
            texts(call, "glob")?
                .iter()
                .map(|glob| format!("--glob={glob}")),
        );
        if let Some(kind) = optional_text(call, "type")? {
            arguments.push(format!("--type={kind}"));
        }
        let path = optional_text(call, "path")?;
        let one_file = path.is_some_and(is_file);
        let order = match optional_text(call, "mode")?.unwrap_or("files") {
            "files" => {
                arguments.extend(["--files-with-matches".into(), "--null".into()]);
                Order::Files
            }
            "count" => {
                arguments.extend(["--count".into(), "--with-filename".into(), "--null".into()]);
                Order::Counts
            }
            "content" => content(call, one_file, &mut arguments)?,
            other => {
                return Err(Answer::misused(format_args!(
                    "grep: mode {other:?}: expected content, files or count"
                )));
            }
        };
        arguments.push(format!("--regexp={}", text(call, "pattern")?));
        if let Some(path) = path {
            arguments.extend(["--".into(), path.to_owned()]);
        }
        let limit = number(call, "limit")?.map_or(usize::MAX, |n| n as usize);
        Ok(Search {
            arguments,
            order,
            limit,
        })
    }

    /// The command line, `rg` first.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Bring what `rg` printed into the canonical order, and cut it.
    pub fn finish(&self, output: Vec<u8>) -> Vec<u8> {
        let mut ordered = match self.order {
            Order::AsIs => output,
            Order::Files => files(&output),
            Order::Counts => counts(&output),
            Order::Lines { numbers, groups } => lines(&output, numbers, groups),
        };
        if let Some((end, _)) = memchr::memchr_iter(b'\n', &ordered)
            .zip(1..)
            .find(|(_, n)| *n >= self.limit)
        {
            ordered.truncate(if self.limit == 0 { 0 } else { end + 1 });
        }
        ordered
    }
}

fn content(call: &Call, one_file: bool, arguments: &mut Vec<String>) -> Result<Order, Wrong> {
    let mut groups = false;
    for (name, option) in [
        ("before", "--before-context"),
        ("after", "--after-context"),
        ("context", "--context"),
    ] {
        if let Some(n) = number(call, name)? {
            arguments.push(format!("{option}={n}"));
            groups |= n > 0;
        }
    }
    let numbers = flag(call, "line_numbers", true)?;
    if one_file {
        arguments.push(if numbers {
            "--line-number".into()
        } else {
            "--no-line-number".into()
        });
        return Ok(Order::AsIs);
    }
    // Numbers are always asked for: without them nothing tells a context line from a match behind the NUL.
    arguments.extend([
        "--line-number".into(),
        "--with-filename".into(),
        "--null".into(),
    ]);
    Ok(Order::Lines { numbers, groups })
}

fn files(output: &[u8]) -> Vec<u8> {
    let mut paths: Vec<&[u8]> = output
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
        .collect();
    paths.sort_unstable();
    paths
        .into_iter()
        .flat_map(|path| [path, b"\n"])
        .flatten()
        .copied()
        .collect()
}

fn counts(output: &[u8]) -> Vec<u8> {
    let mut lines: Vec<(&[u8], &[u8])> = Vec::new();
    let mut rest = output;
    while let Some(end) = memchr(0, rest) {
        let after = &rest[end + 1..];
        let line = memchr(b'\n', after).map_or(after.len(), |n| n + 1);
        lines.push((&rest[..end], &after[..line]));
        rest = &after[line..];
    }
    lines.sort_unstable();
    lines
        .into_iter()
        .flat_map(|(path, count)| [path, b":", count])
        .flatten()
        .copied()
        .collect()
}

fn lines(output: &[u8], numbers: bool, groups: bool) -> Vec<u8> {
    let separator: &[u8] = if groups { b"--\n" } else { b"" };
    // The groups of each path, with what stands between them.
    let mut by_path: BTreeMap<&[u8], Vec<u8>> = BTreeMap::new();
    let begin = |groups: &mut Vec<u8>| {
        if !groups.is_empty() {
            groups.extend_from_slice(separator);
        }
    };
    let mut fresh = true; // whether the next line begins a group
    let mut rest = output;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(b"--\n") {
            (rest, fresh) = (after, true);
            continue;
        }
        let newline = memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
        let Some(nul) = memchr(0, rest)
            .filter(|nul| *nul < newline || rest[..newline].iter().all(|b| *b != b':'))
        else {
            // A remark about a binary file: `path: binary file matches …`, without the NUL.
            let remark = &rest[..newline];
            let path = &remark[..memchr::memmem::find(remark, b": ").unwrap_or(remark.len())];
            let known = by_path.entry(path).or_default();
            begin(known);
            known.extend_from_slice(remark);
            (rest, fresh) = (&rest[newline..], true);
            continue;
        };
        let (path, after) = (&rest[..nul], &rest[nul + 1..]);
        let end = memchr(b'\n', after).map_or(after.len(), |n| n + 1);
        let digits = after
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let mark = after.get(digits).copied().unwrap_or(b':');
        let known = by_path.entry(path).or_default();
        if fresh {
            begin(known);
        }
        known.extend_from_slice(path);
        known.push(mark);
        let from = if numbers { 0 } else { (digits + 1).min(end) };
        known.extend_from_slice(&after[from..end]);
        (rest, fresh) = (&after[end..], false);
    }
    by_path.into_values().collect::<Vec<_>>().join(separator)
}

/// Whether `path` is there and no folder.
pub fn is_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| !meta.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_ordered_by_path_and_separated() {
        let output = b"b\x001-x\nb\x002:hit\n--\nb\x009:hit\n--\na\x003:hit\n";
        assert_eq!(
            lines(output, true, true),
            b"a:3:hit\n--\nb-1-x\nb:2:hit\n--\nb:9:hit\n"
        );
        assert_eq!(
            lines(output, false, true),
            b"a:hit\n--\nb-x\nb:hit\n--\nb:hit\n"
        );
    }

    #[test]
    fn remarks_about_binary_files_keep_their_place() {
        let output = b"z\x001:hit\nb\x001:hit\nb: binary file matches (found \"\\0\" byte around offset 5)\n";
        let ordered = lines(output, true, false);
        assert!(
            ordered.starts_with(b"b:1:hit\nb: binary file"),
            "{ordered:?}"
        );
        assert!(ordered.ends_with(b"z:1:hit\n"));
    }

    #[test]
    fn files_and_counts_are_ordered() {
        assert_eq!(files(b"b\0a\0"), b"a\nb\n");
        assert_eq!(counts(b"b\x002\na\x0010\n"), b"a:10\nb:2\n");
    }
}
