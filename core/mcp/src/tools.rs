//! The tools: their names and arguments are those of docs/FORMAT.md, which every engine knows, and `cursor`.

use std::sync::{Arc, OnceLock};

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{json, Map, Value};

use crate::roots::{Folder, Folders};
use crate::world;

/// The tool that takes a shell's line.
pub const BASH_READ: &str = "bash_read";

/// All tools.
pub fn all() -> &'static [Tool] {
    static ALL: OnceLock<Vec<Tool>> = OnceLock::new();
    ALL.get_or_init(|| vec![grep(), glob(), read(), list(), bash_read()])
}

/// The tool of this name.
pub fn named(name: &str) -> Option<&'static Tool> {
    all().iter().find(|tool| tool.name == name)
}

/// What to ask, and whom.
pub struct Ask<'f> {
    /// Who answers.
    pub folder: &'f Folder,
    /// The call, without its number.
    pub call: Value,
    /// Which page of the answer.
    pub cursor: Option<String>,
}

/// The call of `tool` with `arguments`.
///
/// # Errors
/// Which argument is wrong. Types are the daemon's to look at, but for those that are needed to find it.
pub fn ask<'f>(
    tool: &Tool,
    mut arguments: JsonObject,
    folders: &'f Folders,
) -> Result<Ask<'f>, String> {
    let name = tool.name.as_ref();
    let known = tool
        .input_schema
        .get("properties")
        .and_then(Value::as_object);
    let known: Vec<&str> = known
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    if let Some(odd) = arguments.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(format!(
            "{name}: no argument {odd:?}; there are {}",
            known.join(", ")
        ));
    }
    let required = tool.input_schema.get("required").and_then(Value::as_array);
    for argument in required.into_iter().flatten().filter_map(Value::as_str) {
        match arguments.get(argument) {
            Some(Value::String(_)) => {}
            None | Some(Value::Null) => {
                return Err(format!("{name}: argument {argument:?} is missing"))
            }
            Some(_) => return Err(format!("{name}: argument {argument:?} is not a string")),
        }
    }
    let cursor = text(name, &mut arguments, "cursor")?;
    let place = if name == BASH_READ { "cwd" } else { "path" };
    let path = text(name, &mut arguments, place)?;
    let (folder, path) = folders
        .find(path.as_deref())
        .map_err(|why| format!("{name}: {why}"))?;
    let call = if name == BASH_READ {
        let cwd = path.map(|path| match path.starts_with('/') {
            true => path,
            false => format!("{}/{path}", folder.at),
        });
        json!({"tool": "bash", "arguments": arguments, "cwd": cwd, "caller": world::caller()})
    } else {
        if let Some(path) = path {
            arguments.insert("path".into(), path.into());
        }
        json!({"tool": name, "arguments": arguments})
    };
    Ok(Ask {
        folder,
        call,
        cursor,
    })
}

/// Takes the string `argument` out.
fn text(tool: &str, arguments: &mut JsonObject, argument: &str) -> Result<Option<String>, String> {
    match arguments.remove(argument) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{tool}: argument {argument:?} is not a string")),
    }
}

fn tool(
    name: &'static str,
    title: &str,
    description: &'static str,
    required: &[&str],
    mut properties: Value,
) -> Tool {
    properties["cursor"] = json!({"type": "string", "description": "what the page before gave, for the next page of the same call"});
    let schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    let Value::Object(schema) = schema else {
        unreachable!("an object was written above")
    };
    let reads = ToolAnnotations::new()
        .read_only(true)
        .destructive(false)
        .idempotent(true)
        .open_world(false);
    Tool::new(name, description, Arc::new(schema))
        .with_title(title)
        .with_annotations(reads)
}

fn flag(description: &str) -> Value {
    json!({"type": "boolean", "description": description})
}

fn words(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn number(description: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "description": description})
}

fn grep() -> Tool {
    let properties = json!({
        "pattern": words("a regular expression as ripgrep has them"),
        "path": words("the file or folder to search (the whole root)"),
        "glob": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "description": "only files like this, such as *.py; !*.min.js for all but those",
        },
        "type": words("only files of a type that ripgrep knows, such as py or rust"),
        "mode": {
            "type": "string",
            "enum": ["files", "content", "count"],
            "description": "files: paths of files with a match (the default); content: matching lines; count: matches a file",
        },
        "ignore_case": flag("match upper and lower case alike"),
        "literal": flag("the pattern is a plain string"),
        "line_numbers": flag("in mode content: line numbers (true)"),
        "before": number("in mode content: lines before a match"),
        "after": number("in mode content: lines after a match"),
        "context": number("in mode content: lines around a match"),
        "multiline": flag("a match may go over several lines"),
        "limit": number("only the first lines of the answer"),
        "hidden": flag("search hidden files too"),
    });
    let about = "Search the files of the workspace: what `rg` would print, from memory, in a fraction of a millisecond. \
        Ignored, hidden and binary files are left out as `rg` leaves them out. Use it instead of running grep or rg.";
    tool("grep", "Search in files", about, &["pattern"], properties)
}

fn glob() -> Tool {
    let properties = json!({
        "pattern": words("such as src/**/*.rs; one without a slash matches at any depth"),
        "path": words("the folder to look in (the whole root)"),
        "hidden": flag("hidden files too"),
        "no_ignore": flag("ignored files too"),
        "limit": number("only the first paths"),
    });
    let about = "Find files by name, newest first, from memory. Use it instead of running find.";
    tool("glob", "Find files", about, &["pattern"], properties)
}

fn read() -> Tool {
    let properties = json!({
        "path": words("the file"),
        "offset": {"type": "integer", "minimum": 1, "description": "the first line, from 1"},
        "limit": number("how many lines"),
        "numbered": flag("with line numbers, as `cat -n` prints them"),
    });
    let about = "Read a file, or some lines of it, from memory. Use it instead of running cat, head, tail or sed.";
    tool("read", "Read a file", about, &["path"], properties)
}

fn list() -> Tool {
    let about = "List the names in a folder, hidden ones too, folders with a slash at the end. Use it instead of running ls.";
    tool(
        "list",
        "List a folder",
        about,
        &[],
        json!({"path": words("the folder (the root)")}),
    )
}

fn bash_read() -> Tool {
    let properties = json!({
        "command": words("the line, such as: grep -rn TODO src | sort | head -20"),
        "cwd": words("the folder in which it runs (the root)"),
    });
    let about = "Answer a shell line that only reads, from memory: pipelines, loops and conditions of grep, rg, find, cat, sed, awk, \
        head, tail, ls, wc, sort, uniq, cut, tr, xargs, diff and others, byte for byte what bash would print. Nothing is executed. \
        A line that writes, or needs anything else, is refused with the reason; run that one in your own shell.";
    tool(
        BASH_READ,
        "Answer a shell line",
        about,
        &["command"],
        properties,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_only_reads_and_takes_a_cursor() {
        let names: Vec<&str> = all().iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(names, ["grep", "glob", "read", "list", BASH_READ]);
        for tool in all() {
            let hints = tool.annotations.as_ref().unwrap();
            assert_eq!(
                (hints.read_only_hint, hints.destructive_hint),
                (Some(true), Some(false))
            );
            assert!(tool.input_schema["properties"]["cursor"].is_object());
            assert_eq!(tool.input_schema["additionalProperties"], false);
        }
    }
}
