//! `curserve completions SHELL`: what a person types next at a terminal.

use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt};

const USAGE: &str = "usage: curserve completions bash|zsh";

/// The options of each verb that people type; those that take a path or a folder end in `=`.
const VERBS: [(&str, &str); 7] = [
    ("run", "--root= --leave-s --quiet --yes --record= --help"),
    (
        "mcp",
        "--root= --session= --http --token-file= --page-bytes --yes --help",
    ),
    ("start", "--root= --leave-s --help"),
    ("stats", "--root= --json --help"),
    ("serve", "--root= --socket= --at --timeout-s"),
    ("worker", "--root= --socket= --at --timeout-s"),
    ("versions", ""),
];

/// Run the verb: prints the script.
pub fn run(mut parser: Parser) -> ExitCode {
    let shell = match parser.next() {
        Ok(Some(Arg::Value(shell))) => shell.string().unwrap_or_default(),
        _ => String::new(),
    };
    match script(&shell) {
        Some(script) => {
            print!("{script}");
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("curserve completions: {USAGE}");
            ExitCode::from(2)
        }
    }
}

/// The script for `shell`, if it is known.
fn script(shell: &str) -> Option<String> {
    let before = match shell {
        "bash" => "",
        // zsh reads bash's, which is then one script to keep right.
        "zsh" => "autoload -U +X bashcompinit && bashcompinit\n",
        _ => return None,
    };
    let verbs: Vec<&str> = VERBS.iter().map(|(verb, _)| *verb).collect();
    let mut paths: Vec<&str> = VERBS
        .iter()
        .flat_map(|(_, options)| options.split_whitespace())
        .filter_map(|option| option.strip_suffix('='))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let cases: String = VERBS
        .iter()
        .map(|(verb, options)| {
            format!(
                "        {verb}) words=\"{}\" ;;\n",
                options.replace('=', "")
            )
        })
        .collect();
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
{cases}        *) words="{verbs} completions --help --version" ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o filenames -F _curserve curserve
"#,
        paths = paths.join("|"),
        verbs = verbs.join(" "),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(offered(&["curserve", "mcp", "--root", "/us"]), ["/usr"]);
        assert!(offered(&["curserve", "run", "--", "bas"]).contains(&"bash".to_owned()));
        assert_eq!(offered(&["curserve", "run", "--", "cat", "/us"]), ["/usr"]);
        assert!(offered(&["curserve", ""]).contains(&"mcp".to_owned()));
        assert_eq!(script("tcsh"), None);
    }

    #[test]
    fn every_verb_for_people_is_in_the_usage() {
        for (verb, _) in VERBS {
            assert!(
                crate::USAGE.contains(&format!("curserve {verb} ")),
                "{verb}"
            );
        }
    }
}
