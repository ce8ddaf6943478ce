//! `curserve completions SHELL`: what a person types next at a terminal, read from what `--help` says.

use std::collections::BTreeSet;

use lexopt::{Arg, Parser, ValueExt};

use crate::{Failure, Verb, USAGE, VERBS};

/// What stands in a help for the path of something.
const PATHS: [&str; 4] = ["DIR", "FILE", "PATH", "SOCKET"];

/// Run the verb: prints the script.
///
/// # Errors
/// A shell for which there is none.
pub fn run(mut parser: Parser) -> Result<(), Failure> {
    let shell = match parser.next()? {
        Some(Arg::Value(shell)) => shell.string()?,
        _ => String::new(),
    };
    let script = script(&shell)
        .ok_or_else(|| Failure::Usage("usage: curserve completions bash|zsh".to_owned()))?;
    print!("{script}");
    Ok(())
}

/// What may be typed after a verb.
#[derive(Default)]
struct Offer {
    /// Options, and words such as `status`.
    words: BTreeSet<&'static str>,
    /// The options among them that a path follows.
    paths: BTreeSet<&'static str>,
}

/// What `--help` and the verb's own help say of `verb`.
fn offer(verb: &Verb) -> Offer {
    let mut offer = Offer::default();
    let calls = USAGE.lines().filter(|line| after(line, verb).is_some());
    let mut lines: Vec<&str> = calls.chain(verb.help.lines()).collect();
    if lines.iter().any(|line| line.contains("[limits]")) {
        lines.extend(USAGE.split("\nlimits:").nth(1));
    }
    if !verb.help.is_empty() {
        offer.words.insert("--help");
    }
    for line in lines {
        let word = after(line, verb).and_then(|rest| rest.strip_prefix(' '));
        let word = word.and_then(|rest| rest.split(' ').next());
        let is_word = |it: &&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_lowercase());
        offer.words.extend(
            word.into_iter()
                .flat_map(|it| it.split('|'))
                .filter(is_word),
        );
        // What is quoted is of another program.
        for text in line.split('`').step_by(2) {
            let words = text.split(|it: char| it.is_whitespace() || "[]()|;,".contains(it));
            let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            for (at, word) in words.iter().enumerate() {
                if word.len() > 2 && word.starts_with("--") {
                    offer.words.insert(word);
                    let next = words.get(at + 1).unwrap_or(&"");
                    offer.paths.extend(PATHS.contains(next).then_some(word));
                }
            }
        }
    }
    offer
}

/// What follows in a line that shows how `verb` is called.
fn after(line: &'static str, verb: &Verb) -> Option<&'static str> {
    let call = line.trim_start_matches("usage:").trim_start();
    let rest = call.strip_prefix("curserve ")?.strip_prefix(verb.name)?;
    rest.starts_with(' ').then_some(rest)
}

/// The script for `shell`, if it is known.
fn script(shell: &str) -> Option<String> {
    let before = match shell {
        "bash" => "",
        // zsh reads bash's, which is then one script to keep right.
        "zsh" => "autoload -U +X bashcompinit && bashcompinit\n",
        _ => return None,
    };
    let joined =
        |words: &BTreeSet<&str>, by: &str| words.iter().copied().collect::<Vec<_>>().join(by);
    let offers = VERBS.map(|verb| (verb.name, offer(&verb)));
    let verbs: BTreeSet<&str> = offers.iter().map(|(verb, _)| *verb).collect();
    let paths = offers
        .iter()
        .flat_map(|(_, offer)| offer.paths.iter().copied())
        .collect();
    let case = |(verb, offer): &(&str, Offer)| {
        format!(
            "        {verb}) words=\"{}\" ;;\n",
            joined(&offer.words, " ")
        )
    };
    Some(format!(
        r#"{before}_curserve() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words="" verb="" i
    COMPREPLY=()
    [ "$COMP_CWORD" -gt 1 ] && verb="${{COMP_WORDS[1]}}"
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [ "${{COMP_WORDS[i]}}" = -- ]; then
            if [ "$before" = -- ]; then
                COMPREPLY=($(compgen -c -- "$word"))
            else
                COMPREPLY=($(compgen -f -- "$word"))
            fi
            return
        fi
    done
    case "$before" in
        {paths})
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
    esac
    case "$verb" in
{cases}        *) words="{verbs} --help --version" ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o filenames -F _curserve curserve
"#,
        paths = joined(&paths, "|"),
        verbs = joined(&verbs, " "),
        cases = offers.iter().map(case).collect::<String>(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Options by which our own programs speak to each other: no help names them.
    const INNER: [&str; 14] = [
        "--gauge",
        "--kills-fd",
        "--landlock-bin",
        "--landlock-tmp",
        "--leave-s",
        "--lifeline",
        "--listen-fd",
        "--outer",
        "--persistent",
        "--rg",
        "--status",
        "--tcp",
        "--tcp-fd",
        "--unknown",
    ];

    /// What reads the options of each verb.
    const READERS: [(&str, &str); 9] = [
        ("run", include_str!("run.rs")),
        ("mcp", include_str!("../../mcp/src/options.rs")),
        ("start", include_str!("start.rs")),
        ("stats", include_str!("stats.rs")),
        (
            "mirror",
            concat!(
                include_str!("mirror/client.rs"),
                include_str!("mirror/serve.rs"),
                include_str!("mirror/status.rs")
            ),
        ),
        ("serve", include_str!("options.rs")),
        ("worker", include_str!("options.rs")),
        ("versions", include_str!("versions.rs")),
        ("completions", ""),
    ];

    /// What bash offers after these words, the last of which is being typed.
    fn offered(words: &[&str]) -> Vec<String> {
        let line =
            format!(
            "{}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_curserve\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script("bash").unwrap(),
            words.iter().map(|word| format!("'{word}' ")).collect::<String>(),
            words.len() - 1,
        );
        let done = std::process::Command::new("bash")
            .args(["-c", &line])
            .output()
            .unwrap();
        assert!(
            done.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        let text = String::from_utf8(done.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_offers_verbs_options_and_programs() {
        assert_eq!(offered(&["curserve", "st"]), ["start", "stats"]);
        assert_eq!(offered(&["curserve", "stats", "--j"]), ["--json"]);
        assert_eq!(offered(&["curserve", "mirror", "s"]), ["serve", "status"]);
        assert_eq!(offered(&["curserve", "completions", ""]), ["bash", "zsh"]);
        assert_eq!(
            offered(&["curserve", "worker", "--mem"]),
            ["--memory-bytes"]
        );
        for option in ["--root", "--token-file"] {
            assert_eq!(offered(&["curserve", "mcp", option, "/us"]), ["/usr"]);
        }
        assert_eq!(offered(&["curserve", "serve", "--state", "/us"]), ["/usr"]);
        assert!(offered(&["curserve", "run", "--", "bas"]).contains(&"bash".to_owned()));
        assert_eq!(offered(&["curserve", "run", "--", "cat", "/us"]), ["/usr"]);
        assert_eq!(script("tcsh"), None);
    }

    #[test]
    fn help_names_every_verb_and_every_option_that_is_read() {
        for (verb, (name, reader)) in VERBS.iter().zip(READERS) {
            assert_eq!(verb.name, name);
            assert!(
                USAGE.lines().any(|line| after(line, verb).is_some()),
                "{name} is not in the usage"
            );
            let offer = offer(verb);
            let mut read: BTreeSet<String> = BTreeSet::new();
            for part in reader.split("Arg::Long(\"").skip(1) {
                read.insert(format!("--{}", part.split('"').next().unwrap()));
            }
            for option in &read {
                // A worker's options are read with the daemon's, and it keeps nothing.
                let is_kept = name == "worker" && option == "--state";
                let is_inner = is_kept || INNER.contains(&option.as_str());
                let is_known = is_inner || offer.words.contains(option.as_str());
                assert!(
                    is_known,
                    "curserve {name} reads {option}, which its help does not name"
                );
            }
            let words = offer
                .words
                .iter()
                .filter(|word| word.starts_with("--") && **word != "--help");
            for word in words {
                assert!(
                    read.contains(*word),
                    "the help of curserve {name} names {word}, which it does not read"
                );
            }
        }
    }
}
