//! A daemon's answer as a model reads it: standard output as it is, and after it, where there is more to say, a note.

use rmcp::model::{CallToolResult, ContentBlock};

use crate::daemon::Given;
use crate::pages;
use crate::tools::BASH_READ;

/// Of standard error, as much as this is shown.
const COMPLAINTS: usize = 4 << 10;

/// What came of a call of `tool`, in pages of at most `most` bytes.
pub fn result(tool: &str, given: &Given, cursor: Option<&str>, most: usize) -> CallToolResult {
    if let Some((why, kind)) = &given.refused {
        return wrong(&refused(tool, why, kind));
    }
    if let Some(why) = &given.failed {
        return wrong(&format!("{tool}: {why}"));
    }
    let page = match pages::page(&given.stdout, cursor, most) {
        Ok(page) => page,
        Err(why) => return wrong(&format!("{tool}: {why}")),
    };
    let mut notes = Vec::new();
    let (first, last, all) = page.lines;
    if let Some(next) = &page.next {
        notes.push(format!(
            "[lines {first} to {last} of {all}; the next page: the same call with \"cursor\": \"{next}\"]"
        ));
    } else if cursor.is_some() {
        notes.push(format!("[lines {first} to {last} of {all}: the end]"));
    }
    if std::str::from_utf8(page.text).is_err() {
        notes.push("[not UTF-8: other bytes are shown as \u{fffd}]".into());
    }
    if cursor.is_none() {
        notes.extend(ending(tool, given));
    }
    let mut content = Vec::new();
    if !page.text.is_empty() {
        content.push(ContentBlock::text(String::from_utf8_lossy(page.text)));
    }
    if !notes.is_empty() {
        content.push(ContentBlock::text(notes.join("\n")));
    }
    match is_error(tool, given.exit_code) {
        true => CallToolResult::error(content),
        false => CallToolResult::success(content),
    }
}

/// One line that says what is wrong.
pub fn wrong(why: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(why)])
}

/// Why there is no answer, and what to do instead.
fn refused(tool: &str, why: &str, kind: &str) -> String {
    let instead = match (kind, tool) {
        ("outside", _) => "only the served folder is answered",
        ("loading", _) => {
            "the folder is still being read into memory; ask again, or use your own tools"
        }
        (_, BASH_READ) => "run this line in your own shell",
        _ => "use your own tools for this call",
    };
    format!("{tool}: not answered: {why}; {instead}")
}

/// What standard error and the exit code say.
fn ending(tool: &str, given: &Given) -> Vec<String> {
    let mut notes = Vec::new();
    if !given.stderr.is_empty() {
        let shown = &given.stderr[..given.stderr.len().min(COMPLAINTS)];
        let more = if shown.len() < given.stderr.len() {
            " …"
        } else {
            ""
        };
        notes.push(format!(
            "{}{more}",
            String::from_utf8_lossy(shown).trim_end()
        ));
    }
    let has_nothing = given.stdout.is_empty() && given.stderr.is_empty();
    match (tool, given.exit_code) {
        ("grep" | "glob", Some(1)) if has_nothing => notes.push("[nothing matches]".into()),
        (BASH_READ, Some(code)) if code != 0 => notes.push(format!("[exit code {code}]")),
        _ if has_nothing => notes.push("[no output]".into()),
        _ => {}
    }
    notes
}

/// Whether a call that ended so is an error to its caller: a shell's line may well end with 1, and a search with nothing.
fn is_error(tool: &str, exit_code: Option<i64>) -> bool {
    match (tool, exit_code) {
        (_, None) => true,
        (BASH_READ, Some(_)) => false,
        ("grep" | "glob", Some(code)) => code > 1,
        (_, Some(code)) => code != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tool: &str, given: &Given, cursor: Option<&str>) -> (Vec<String>, bool) {
        let result = result(tool, given, cursor, 8);
        let texts = result
            .content
            .iter()
            .map(|block| block.as_text().unwrap().text.clone());
        (texts.collect(), result.is_error == Some(true))
    }

    fn ended(code: i64, stdout: &str, stderr: &str) -> Given {
        Given {
            exit_code: Some(code),
            stdout: stdout.into(),
            stderr: stderr.into(),
            ..Given::default()
        }
    }

    #[test]
    fn an_answer_is_its_output_and_a_note() {
        for (tool, given, texts, is_error) in [
            ("read", ended(0, "a\n", ""), &["a\n"][..], false),
            ("read", ended(0, "", ""), &["[no output]"], false),
            (
                "read",
                ended(1, "", "read: x: not there\n"),
                &["read: x: not there"],
                true,
            ),
            ("grep", ended(1, "", ""), &["[nothing matches]"], false),
            ("grep", ended(2, "", "bad\n"), &["bad"], true),
            (BASH_READ, ended(1, "", ""), &["[exit code 1]"], false),
            (
                BASH_READ,
                ended(2, "a\n", "b\n"),
                &["a\n", "b\n[exit code 2]"],
                false,
            ),
            (
                BASH_READ,
                Given {
                    exit_code: Some(0),
                    stdout: b"\xff\n".into(),
                    ..Given::default()
                },
                &[
                    "\u{fffd}\n",
                    "[not UTF-8: other bytes are shown as \u{fffd}]",
                ],
                false,
            ),
        ] {
            let (said, error) = shown(tool, &given, None);
            assert_eq!(
                (
                    said.iter()
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .as_slice(),
                    error
                ),
                (texts, is_error)
            );
        }
    }

    #[test]
    fn a_long_answer_comes_in_pages() {
        let given = ended(0, "one\ntwo\nthree\n", "");
        let (texts, _) = shown("read", &given, None);
        assert_eq!(texts[0], "one\ntwo\n");
        let cursor = texts[1].split('"').nth(3).unwrap();
        let (texts, _) = shown("read", &given, Some(cursor));
        assert_eq!(texts, ["three\n", "[lines 3 to 3 of 3: the end]"]);
        let (texts, is_error) = shown("read", &given, Some("nonsense"));
        assert!(
            is_error && texts[0].starts_with("read: cursor"),
            "{texts:?}"
        );
    }

    #[test]
    fn what_is_refused_is_said_with_what_to_do() {
        for (tool, kind, instead) in [
            (BASH_READ, "undefined", "your own shell"),
            ("grep", "unknown-program", "your own tools"),
            ("read", "outside", "only the served folder"),
        ] {
            let refused = Some(("the reason".to_owned(), kind.to_owned()));
            let (texts, is_error) = shown(
                tool,
                &Given {
                    refused,
                    ..Given::default()
                },
                None,
            );
            assert!(
                is_error && texts.len() == 1 && texts[0].contains(instead),
                "{texts:?}"
            );
            assert!(!texts[0].contains('\n'));
        }
    }
}
