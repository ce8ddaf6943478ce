//! POSIX regular expressions as `sed` reads them, carried over to the `regex` crate where the two agree.
//!
//! The crate prefers the first alternative, POSIX the longest match; [`Matcher::find`] therefore checks that the
//! longest match ends at the same place, and refuses where it does not.

use regex_automata::hybrid::dfa;
use regex_automata::meta::{self, Regex};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use crate::Refusal;

/// A compiled expression.
pub enum Matcher {
    /// Plain text.
    Literal(Box<memchr::memmem::Finder<'static>>),
    /// Anything else.
    Regex(Box<Compiled>),
}

/// An expression compiled by the `regex` crate.
pub struct Compiled {
    regex: Regex,
    /// Finds the longest match from a start, where alternatives or repetitions could differ.
    longest: Option<(dfa::DFA, std::sync::Mutex<dfa::Cache>)>,
    /// The expression consults tables of characters: only sure on ASCII.
    tables: bool,
    /// Groups whose captures POSIX and the crate may set differently.
    pub doubtful_groups: bool,
    /// How many groups there are.
    pub groups: usize,
}

struct Translation {
    text: String,
    literal: Option<Vec<u8>>,
    tables: bool,
    quantified_group: bool,
    alternation: bool,
    quantifiers: usize,
    groups: usize,
}

fn refuse<T>(what: &str) -> Result<T, Refusal> {
    Err(Refusal::new(format!(
        "in a regular expression of sed: {what}"
    )))
}

impl Matcher {
    /// Compiles `pattern` as a basic, or with `extended` an extended, expression; `fold` ignores case.
    pub fn new(pattern: &[u8], extended: bool, fold: bool) -> Result<Self, Refusal> {
        let Ok(pattern) = std::str::from_utf8(pattern) else {
            return refuse("bytes that are not UTF-8");
        };
        if fold && !pattern.is_ascii() {
            return refuse("letters beyond ASCII without case");
        }
        let t = translate(pattern, extended, fold)?;
        if let (Some(literal), false) = (&t.literal, fold) {
            return Ok(Self::Literal(Box::new(
                memchr::memmem::Finder::new(literal).into_owned(),
            )));
        }
        let too_big = |_| Refusal::new("a regular expression of sed too large to compile");
        let syntax = syntax::Config::new()
            .case_insensitive(fold)
            .dot_matches_new_line(true)
            .utf8(false);
        // An automaton made beforehand takes longer than most scripts; this one grows as the text asks for it.
        let config = meta::Config::new()
            .nfa_size_limit(Some(4 << 20))
            .utf8_empty(false)
            .dfa(false)
            .onepass(false);
        let regex = meta::Builder::new()
            .configure(config)
            .syntax(syntax)
            .build(&t.text)
            .map_err(too_big)?;
        let longest = if t.alternation || t.quantifiers > 1 || t.quantified_group {
            let dfa = dfa::Builder::new()
                .configure(dfa::Config::new().match_kind(MatchKind::All))
                .syntax(syntax)
                .build(&t.text)
                .map_err(|_| Refusal::new("a regular expression of sed that no automaton takes"))?;
            let cache = dfa.create_cache();
            Some((dfa, std::sync::Mutex::new(cache)))
        } else {
            None
        };
        Ok(Self::Regex(Box::new(Compiled {
            regex,
            longest,
            tables: t.tables || fold,
            doubtful_groups: t.quantified_group || (t.alternation && t.groups > 0),
            groups: t.groups,
        })))
    }

    /// Whether the text matches.
    pub fn is_match(&self, text: &[u8]) -> Result<bool, Refusal> {
        match self {
            Self::Literal(finder) => Ok(finder.find(text).is_some()),
            Self::Regex(r) => {
                r.check(text)?;
                Ok(r.regex.is_match(text))
            }
        }
    }

    /// All matches that do not overlap, as `s///g` sees them, each with its groups.
    pub fn each(
        &self,
        text: &[u8],
        mut f: impl FnMut(usize, usize, &dyn Fn(usize) -> Option<(usize, usize)>) -> bool,
    ) -> Result<(), Refusal> {
        match self {
            Self::Literal(finder) => {
                for start in finder.find_iter(text) {
                    if !f(start, start + finder.needle().len(), &|_| None) {
                        break;
                    }
                }
            }
            Self::Regex(r) => {
                r.check(text)?;
                for captures in r.regex.captures_iter(text) {
                    let Some(whole) = captures.get_group(0) else {
                        break;
                    };
                    r.check_longest(text, whole.start, whole.end)?;
                    let group = |i: usize| captures.get_group(i).map(|m| (m.start, m.end));
                    if !f(whole.start, whole.end, &group) {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Compiled {
    fn check(&self, text: &[u8]) -> Result<(), Refusal> {
        if text.is_ascii() || (!self.tables && std::str::from_utf8(text).is_ok()) {
            Ok(())
        } else {
            refuse("text beyond ASCII against classes")
        }
    }

    fn check_longest(&self, text: &[u8], start: usize, end: usize) -> Result<(), Refusal> {
        let Some((dfa, cache)) = &self.longest else {
            return Ok(());
        };
        let Ok(mut cache) = cache.lock() else {
            return refuse("a lock that broke");
        };
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        match dfa.try_search_fwd(&mut cache, &input) {
            Ok(Some(m)) if m.offset() == end => Ok(()),
            _ => refuse("a match whose length depends on the reading"),
        }
    }
}

/// The state of a translation: what has been written, and where the last atom starts.
struct Writer {
    out: String,
    literal: Option<Vec<u8>>,
    atom: Option<usize>,
    /// Where the last repetition ended.
    repeated: Option<usize>,
    basic: bool,
    fold: bool,
    t: (bool, bool, bool, usize),
}

impl Writer {
    fn char(&mut self, c: char) {
        self.atom = Some(self.out.len());
        let mut buffer = [0; 4];
        if let Some(l) = &mut self.literal {
            l.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        }
        regex_syntax::escape_into(c.encode_utf8(&mut buffer), &mut self.out);
    }

    fn atom(&mut self, text: &str) {
        self.literal = None;
        self.atom = Some(self.out.len());
        self.out.push_str(text);
    }

    fn assertion(&mut self, text: &str) {
        self.literal = None;
        self.atom = None;
        self.out.push_str(text);
    }

    fn quantify(&mut self, q: &str) -> Result<(), Refusal> {
        self.literal = None;
        let Some(atom) = self.atom else {
            return refuse("a repetition of nothing");
        };
        if self.basic && self.repeated == Some(self.out.len()) {
            return refuse("a repetition of a repetition");
        }
        if self.out[atom..].starts_with('(') {
            self.t.1 = true;
        }
        self.t.3 += 1;
        self.out.insert_str(atom, "(?:");
        self.out.push(')');
        self.out.push_str(q);
        self.repeated = Some(self.out.len());
        Ok(())
    }
}

fn translate(pattern: &str, extended: bool, fold: bool) -> Result<Translation, Refusal> {
    let mut w = Writer {
        out: String::new(),
        literal: Some(Vec::new()),
        atom: None,
        repeated: None,
        basic: !extended,
        fold,
        t: (false, false, false, 0),
    };
    let chars: Vec<char> = pattern.chars().collect();
    let mut opens: Vec<usize> = Vec::new();
    let mut groups = 0;
    let mut i = 0;
    // At the start of the expression, of a group or of an alternative, `*` and `^` mean something else.
    let mut at_start = true;
    while i < chars.len() {
        let c = chars[i];
        let next = chars.get(i + 1).copied();
        let escaped = c == '\\';
        let token = if escaped { next } else { Some(c) };
        i += 1 + usize::from(escaped);
        let Some(token) = token else {
            return refuse("a backslash at the end");
        };
        // `\(` is a group in a basic expression, `(` in an extended one.
        let special = escaped != extended;
        let was_start = std::mem::replace(&mut at_start, false);
        match token {
            '(' if special => {
                opens.push(w.out.len());
                groups += 1;
                w.assertion("(");
                at_start = true;
            }
            ')' if special => {
                let Some(open) = opens.pop() else {
                    return refuse("a parenthesis that closes nothing");
                };
                if was_start {
                    return refuse("an empty group or alternative");
                }
                w.out.push(')');
                w.literal = None;
                w.atom = Some(open);
            }
            '|' if special => {
                if was_start {
                    return refuse("an empty alternative");
                }
                w.assertion("|");
                w.t.2 = true;
                at_start = true;
            }
            '+' | '?' if special => {
                if was_start {
                    return refuse("a repetition at the start");
                }
                w.quantify(if token == '+' { "+" } else { "?" })?;
            }
            '{' if special => {
                if was_start {
                    return refuse("an interval at the start");
                }
                let close = if extended { "}" } else { "\\}" };
                let rest: String = chars[i..].iter().collect();
                let Some(end) = rest.find(close) else {
                    return refuse("an interval without end");
                };
                let body = &rest[..end];
                let fine = |s: &str| s.len() <= 3 && s.bytes().all(|b| b.is_ascii_digit());
                let (low, high) = body.split_once(',').unwrap_or((body, body));
                if !fine(low) || !fine(high) || (low.is_empty() && high.is_empty()) {
                    return refuse("an interval not known here");
                }
                let low = if low.is_empty() { "0" } else { low };
                w.quantify(&if body.contains(',') {
                    format!("{{{low},{high}}}")
                } else {
                    format!("{{{low}}}")
                })?;
                i += body.chars().count() + close.len();
            }
            '}' if special && !extended => return refuse("an interval that closes nothing"),
            '*' if !escaped => {
                if !was_start {
                    w.quantify("*")?;
                } else if extended {
                    return refuse("a repetition at the start");
                } else {
                    w.char('*');
                }
            }
            '.' if !escaped => w.atom("."),
            '^' if !escaped => {
                // In a basic expression only the first of several is an anchor.
                if was_start && (extended || !w.out.ends_with('^')) {
                    w.assertion("^");
                    at_start = true;
                } else if extended {
                    return refuse("an anchor in the middle");
                } else {
                    w.char('^');
                }
            }
            '$' if !escaped => {
                let rest: String = chars[i..].iter().take(2).collect();
                let ends = if extended { [")", "|"] } else { ["\\)", "\\|"] };
                if rest.is_empty() || ends.iter().any(|e| rest.starts_with(e)) {
                    w.assertion("$");
                } else if extended {
                    return refuse("an anchor in the middle");
                } else {
                    w.char('$');
                }
            }
            '[' if !escaped => i += bracket(&chars[i..], &mut w)?,
            'n' if escaped => w.char('\n'),
            't' if escaped => w.char('\t'),
            'w' | 'W' | 's' | 'S' if escaped => {
                w.t.0 = true;
                w.atom(match token {
                    'w' => "[0-9A-Za-z_]",
                    'W' => "[^0-9A-Za-z_]",
                    's' => "[ \\t\\n\\x0b\\x0c\\r]",
                    _ => "[^ \\t\\n\\x0b\\x0c\\r]",
                });
            }
            'b' | 'B' | '<' | '>' if escaped => {
                w.t.0 = true;
                w.assertion(match token {
                    'b' => "\\b",
                    'B' => "\\B",
                    '<' => "\\b{start}",
                    _ => "\\b{end}",
                });
            }
            c if escaped && (c.is_alphanumeric() || c == '`' || c == '\'' || c == '\n') => {
                return refuse(&format!("the escape \\{c}"))
            }
            c => w.char(c),
        }
    }
    if !opens.is_empty() || (at_start && !pattern.is_empty() && !w.out.ends_with('^')) {
        return refuse("a group or an alternative without end");
    }
    if pattern.is_empty() {
        return refuse("an empty expression");
    }
    Ok(Translation {
        text: w.out,
        literal: w.literal,
        tables: w.t.0,
        quantified_group: w.t.1,
        alternation: w.t.2,
        quantifiers: w.t.3,
        groups,
    })
}

/// Translates after `[`; returns how many characters it took.
fn bracket(chars: &[char], w: &mut Writer) -> Result<usize, Refusal> {
    let mut set = String::from("[");
    let mut i = 0;
    if chars.first() == Some(&'^') {
        set.push('^');
        i += 1;
    }
    let first = i;
    loop {
        let Some(&c) = chars.get(i) else {
            return refuse("a bracket without end");
        };
        if c == ']' && i > first {
            break;
        }
        if c == '[' && matches!(chars.get(i + 1), Some(':' | '.' | '=')) {
            let rest: String = chars[i + 1..].iter().collect();
            let Some(end) = rest[1..].find(":]").filter(|_| rest.starts_with(':')) else {
                return refuse("a collating element");
            };
            let name = &rest[1..1 + end];
            const CLASSES: &[&str] = &[
                "alpha", "digit", "alnum", "upper", "lower", "punct", "space", "blank", "xdigit",
                "cntrl",
            ];
            if !CLASSES.contains(&name) {
                return refuse("a class not known here");
            }
            set.push_str(&format!("[:{name}:]"));
            w.t.0 = true;
            i += end + 4;
            continue;
        }
        let (c, used) = match (c, chars.get(i + 1)) {
            ('\\', Some('n')) => ('\n', 2),
            ('\\', Some('t')) => ('\t', 2),
            ('\\', Some(n)) if n.is_ascii_alphabetic() => return refuse("an escape in brackets"),
            _ => (c, 1),
        };
        i += used;
        push_escaped(&mut set, c);
        if chars.get(i) == Some(&'-') && chars.get(i + 1).is_some_and(|&c| c != ']') {
            let high = chars[i + 1];
            if high < c || matches!(high, '[' | '\\') {
                return refuse("a range not known here");
            }
            if w.fold && !crate::grep::folds_alike(c, high) {
                return refuse("a range whose ends fold apart");
            }
            set.push('-');
            push_escaped(&mut set, high);
            i += 2;
        }
    }
    set.push(']');
    w.atom(&set);
    Ok(i + 1)
}

fn push_escaped(set: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        set.push('\\');
    }
    set.push(c);
}

#[cfg(test)]
mod tests {
    use super::Matcher;

    fn first(pattern: &str, extended: bool, text: &str) -> Option<(usize, usize)> {
        let mut found = None;
        let each = Matcher::new(pattern.as_bytes(), extended, false).map(|m| {
            m.each(text.as_bytes(), |s, e, _| {
                found = Some((s, e));
                false
            })
        });
        assert!(each.is_ok_and(|r| r.is_ok()), "{pattern} is not refused");
        found
    }

    #[test]
    fn basic_and_extended_differ() {
        assert_eq!(first("a+", false, "aa+"), Some((1, 3)));
        assert_eq!(first("a+", true, "aa+"), Some((0, 2)));
        assert_eq!(first("a\\+", false, "aa+"), Some((0, 2)));
        assert_eq!(first("*a", false, "x*a"), Some((1, 3)));
        assert_eq!(first("[^]]x", false, "]xax"), Some((2, 4)));
        assert_eq!(first("^[ \\t]*def", false, "  def"), Some((0, 5)));
        assert_eq!(first("a$b", false, "a$b"), Some((0, 3)));
    }

    #[test]
    fn what_fuzzing_found() {
        assert_eq!(first("^^a", false, "^a"), Some((0, 2)));
        assert_eq!(first("^^a", false, "a"), None);
        assert_eq!(first("^^a", true, "a"), Some((0, 1)));
        // GNU sed takes no repetition of a repetition in a basic expression.
        for pattern in ["b**", "b*\\{2\\}", "b\\+*", "\\(b\\)**"] {
            assert!(Matcher::new(pattern.as_bytes(), false, false).is_err());
        }
        assert_eq!(first("\\(b*\\)*c", false, "bbc"), Some((0, 3)));
        for (range, fine) in [
            ("[`-e]", false),
            ("[_-~]", false),
            ("[a-f]", true),
            ("[ -~]", true),
        ] {
            assert_eq!(
                Matcher::new(range.as_bytes(), true, true).is_ok(),
                fine,
                "{range}"
            );
        }
    }

    #[test]
    fn a_match_that_posix_reads_longer_is_refused() {
        let m = Matcher::new(b"a|ab", true, false)
            .unwrap_or_else(|_| unreachable!("a plain alternation"));
        assert!(m.each(b"ab", |_, _, _| true).is_err());
        assert!(m.each(b"a", |_, _, _| true).is_ok());
    }
}
