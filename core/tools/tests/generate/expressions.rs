//! Expressions near the border between what the real programs take and what they complain of, in every dialect, and calls of
//! `grep`, `sed`, `find -regex` and `rg` with them.

use super::Generator;

/// What expressions are made of: each piece is at, or a letter away from, a border of some dialect.
const PIECES: &[&str] = &[
    // characters and what has none of its own meaning
    "a",
    "b",
    "ab",
    "A",
    "x",
    "0",
    "1",
    "_",
    "-",
    ",",
    ":",
    "=",
    " ",
    "é",
    "ſ",
    "/",
    "#",
    "&",
    "!",
    "%",
    "~",
    "@",
    "'",
    "\"",
    "`",
    "<",
    ">",
    ";",
    // operators, alone and doubled
    ".",
    "*",
    "+",
    "?",
    "|",
    "^",
    "$",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "**",
    "+*",
    "*?",
    "++",
    "??",
    "*+",
    "||",
    "()",
    "(|",
    "|)",
    "^^",
    "$$",
    "^*",
    "^+",
    "(*",
    "(+",
    "(?",
    "|*",
    "^$",
    ".*",
    ".+",
    ".*?",
    // the same behind a backslash
    "\\.",
    "\\*",
    "\\+",
    "\\?",
    "\\|",
    "\\^",
    "\\$",
    "\\(",
    "\\)",
    "\\{",
    "\\}",
    "\\[",
    "\\]",
    "\\\\",
    "\\(\\)",
    "\\(\\|",
    "\\|\\)",
    "\\(*",
    "\\(^",
    "$\\)",
    "\\|*",
    "\\|^",
    "^\\+",
    // intervals
    "{1}",
    "{2}",
    "{0}",
    "{,2}",
    "{1,}",
    "{1,2}",
    "{2,1}",
    "{}",
    "{,}",
    "{a}",
    "{ 1}",
    "{1 }",
    "{1,",
    "{1",
    "{,",
    "{-1}",
    "{1,2,3}",
    "{01}",
    "{1}{2}",
    "{255}",
    "{256}",
    "{1000}",
    "{32767}",
    "{32768}",
    "{65536}",
    "{99999}",
    "{1,a}",
    "{1, 2}",
    "{1}*",
    "*{1}",
    "{+1}",
    "{{1}}",
    "{1}}",
    "{4294967297}",
    "{0,0}",
    "{,0}",
    "\\{1\\}",
    "\\{2\\}",
    "\\{,2\\}",
    "\\{1,\\}",
    "\\{1,2\\}",
    "\\{2,1\\}",
    "\\{\\}",
    "\\{,\\}",
    "\\{a\\}",
    "\\{1",
    "\\{1}",
    "\\{1,",
    "\\{ 1\\}",
    "\\{1\\}*",
    "*\\{1\\}",
    "\\{999\\}",
    "\\{1000\\}",
    "\\{0\\}",
    "\\{-1\\}",
    "\\{1,2,3\\}",
    // sets
    "[a]",
    "[^a]",
    "[ab]",
    "[a-c]",
    "[^a-c]",
    "[a-zA-Z0-9-_]",
    "[a-z0-9-.]",
    "[a-c-e]",
    "[a-a]",
    "[c-a]",
    "[z-a]",
    "[--/]",
    "[+--]",
    "[%--]",
    "[-a]",
    "[a-]",
    "[^-a]",
    "[^a-]",
    "[]a]",
    "[^]a]",
    "[]-a]",
    "[]]",
    "[^]]",
    "[]",
    "[^]",
    "[",
    "[a",
    "[a-",
    "[^",
    "[[]",
    "[[a]",
    "[]abc",
    "[a]]",
    "[[a]]",
    "[a[b]",
    "[a^]",
    "[^^]",
    "[$]",
    "[.]",
    "[*]",
    "[\\]",
    "[\\\\]",
    "[a\\]",
    "[\\]a]",
    "[\\n]",
    "[\\t]",
    "[\\w]",
    "[\\d]",
    "[\\.]",
    "[\\-a]",
    "[a\\-z]",
    "[\\s-]",
    "[\\w-z]",
    "[a-\\]",
    "[\\-\\]",
    "[!-~]",
    "[ -~]",
    "[A-z]",
    "[a-Z]",
    "[Z-a]",
    "[0-9a-f]",
    "[à-ÿ]",
    "[a-é]",
    "[é-a]",
    "[é]",
    "[^é]",
    "[aé]",
    "[[:alpha:]]",
    "[[:digit:]]",
    "[[:space:]]",
    "[[:upper:]]",
    "[[:lower:]]",
    "[[:alnum:]_]",
    "[[:punct:]]",
    "[^[:space:]]",
    "[[:foo:]]",
    "[[:alpha:]",
    "[[:alpha]]",
    "[[:alpha:",
    "[:space:]",
    "[:alpha:]",
    "[:a]",
    "[:]",
    "[a:]",
    "[::]",
    "[:a:]",
    "[^:a:]",
    "[:digit:][:alpha:]",
    "[[:digit:][:alpha:]]",
    "[[:^alpha:]]",
    "[[:word:]]",
    "[[:ALPHA:]]",
    "[[: alpha:]]",
    "[[::]]",
    "[[:alpha:]-z]",
    "[a-[:alpha:]]",
    "[[:digit:]-]",
    "[[.a.]]",
    "[[.-.]]",
    "[[.a.]-c]",
    "[a-[.c.]]",
    "[[.space.]]",
    "[[.ab.]]",
    "[[..]]",
    "[[.a]",
    "[[.a.",
    "[.a.]",
    "[=a=]",
    "[[=a=]]",
    "[[=a=]b]",
    "[[==]]",
    "[[=a",
    "[[=ab=]]",
    "[[:digit:]a-c]",
    "[a-c[:digit:]]",
    "[a&&b]",
    "[a--b]",
    "[a~~b]",
    "[a-c&&b-d]",
    "[^\\]",
    "[\\",
    "[,-.]",
    "[+-,-.]",
    "[a-b-c-d]",
    "[--]",
    "[---]",
    "[a---]",
    "[-]",
    "[^-]",
    // edges, classes and escapes
    "\\<",
    "\\>",
    "\\b",
    "\\B",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "\\d",
    "\\D",
    "\\h",
    "\\H",
    "\\v",
    "\\V",
    "\\R",
    "\\X",
    "\\K",
    "\\G",
    "\\A",
    "\\Z",
    "\\z",
    "\\Q",
    "\\E",
    "\\Qa.b\\E",
    "\\n",
    "\\t",
    "\\r",
    "\\f",
    "\\e",
    "\\a",
    "\\0",
    "\\1",
    "\\2",
    "\\9",
    "\\10",
    "\\x41",
    "\\x",
    "\\x{41}",
    "\\u0041",
    "\\cA",
    "\\o101",
    "\\o{101}",
    "\\d065",
    "\\101",
    "\\p{L}",
    "\\pL",
    "\\P{L}",
    "\\N",
    "\\g1",
    "\\k<a>",
    "\\`",
    "\\'",
    "\\-",
    "\\/",
    "\\,",
    "\\:",
    "\\=",
    "\\ ",
    "\\\"",
    "\\#",
    "\\%",
    "\\&",
    "\\@",
    "\\!",
    "\\~",
    "\\;",
    "\\_",
    "\\é",
    "\\c",
    "\\y",
    "\\i",
    "\\C",
    "\\l",
    "\\u",
    "\\U",
    "\\j",
    "\\m",
    "\\q",
    "\\",
    "\\<*",
    "\\b*",
    "\\b{start}",
    "\\b{end}",
    "\\<a\\>",
    "\\ba\\b",
    "\\B-",
    "\\w+",
    "\\w\\+",
    "\\s*",
    // groups
    "(a)",
    "\\(a\\)",
    "(a|b)",
    "\\(a\\|b\\)",
    "(a)*",
    "\\(a\\)*",
    "(a*)*",
    "\\(a*\\)*",
    "(a|)",
    "(|a)",
    "\\(a\\|\\)",
    "\\(\\|a\\)",
    "(a)(b)",
    "\\(a\\)\\(b\\)",
    "(a)\\1",
    "\\(a\\)\\1",
    "\\(a*\\)\\1",
    "(a)?",
    "(ab)+",
    "(^a)",
    "(a$)",
    "\\(^a\\)",
    "\\(a$\\)",
    "(^)*",
    "(a^b)",
    "a$b",
    "a^b",
    "x$y^",
    "(?:a)",
    "(?i)",
    "(?i)a",
    "(?=a)",
    "(?!a)",
    "(?<=a)",
    "(?<a>b)",
    "(?P<a>b)",
    "(?#a)",
    "(?a)",
    "(?",
    "(*)",
    "(*UTF)",
    "(*ACCEPT)",
    "((a))",
    "((",
    "))",
    "a)",
    "(a",
    "a|*b",
    "a||b",
    "|a",
    "a|",
    "a|b|c",
    "a\\|b",
    "\\|a",
    "a\\|",
    "a\\|\\|b",
    "(){2}",
    "a{1}{2}",
    "a**",
    "a+?",
    "a*?",
    "a?+",
    "a*+",
    "a{2}+",
    "x*",
    "b*",
    "b?",
    "\n",
    "a\nb",
    "\n*",
];

/// What is put in, doubled or taken away.
const LETTERS: &[&str] = &[
    "[", "]", "{", "}", "(", ")", "|", "*", "+", "?", "\\", "^", "$", ".", "-", ",", ":", "=", "a",
    "b", "1", "2", "0", " ", "\\(", "\\)", "\\{", "\\}", "\\|", "<", ">", "/", "n", "w", "é", "&",
    "!",
];

/// Lines that pieces match, or just do not.
const LINES: &[&str] = &[
    "a",
    "b",
    "ab",
    "abc",
    "aab",
    "abab",
    "A",
    "AB",
    "aa",
    "aaa",
    "x",
    "xay",
    "a1",
    "12",
    "0",
    "_",
    "-",
    "a-b",
    "a_b",
    " ",
    "a b",
    " a ",
    "a.b",
    ".",
    "*",
    "a*",
    "+",
    "?",
    "|",
    "a|b",
    "^",
    "$",
    "a^b",
    "a$b",
    "(",
    ")",
    "(a)",
    "()",
    "{",
    "}",
    "{1}",
    "a{1}",
    "a{ 1}",
    "a{,2}",
    "{a}",
    "a{2,1}",
    "= {}",
    "[",
    "]",
    "[a]",
    "[:space:]",
    "\\",
    "a\\b",
    "\\d",
    "\\1",
    "\\n",
    "d",
    "n",
    "t",
    "w",
    "s",
    "é",
    "É",
    "aé",
    "ſ",
    "İ",
    "K",
    ":",
    "=",
    ",",
    "a,b",
    "a:b",
    "<a>",
    "/",
    "a/b",
    "#",
    "&",
    "'",
    "\"",
    "`",
    "~",
    "%",
    "@",
    "!",
    ";",
    "\t",
    "a\tb",
    "\r",
    "a\u{b}b",
    "\u{a0}",
    "foo bar",
    "FOO",
    "1.5",
    "0x41",
    "",
    "",
];
const ODD: &[&[u8]] = &[
    b"\xff",
    b"a\xc3",
    b"\xe9b",
    b"a\0b",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
];

/// An expression that no program takes long for.
fn expression(random: &mut Generator) -> String {
    loop {
        let expression = any_expression(random);
        let numbers = expression.split(|c: char| !c.is_ascii_digit());
        let numbers = numbers.filter_map(|digits| digits.parse::<u64>().ok());
        let product = numbers.fold(1, |product: u64, n| product.saturating_mul(n.max(1)));
        // Seen: `[^]a]{32767}` takes grep nine gigabytes and minutes. Beyond its limit there is just an error.
        if product < 2000 || expression.contains("{32768}") && product == 32768 {
            return expression;
        }
    }
}

fn any_expression(random: &mut Generator) -> String {
    let mut expression = match random.below(8) {
        0 => random.some(LETTERS, 1, 6),
        1 => random.one(PIECES).to_string(),
        2..=4 => random.some(PIECES, 1, 3),
        _ => random.some(PIECES, 1, 5),
    };
    for _ in 0..random.below(8).saturating_sub(5) {
        change(&mut expression, random);
    }
    expression
}

/// Puts a letter in, takes one away, or doubles one.
fn change(expression: &mut String, random: &mut Generator) {
    let places: Vec<usize> = expression.char_indices().map(|(at, _)| at).collect();
    let at = match places.len() {
        0 => 0,
        count => places[random.below(count)],
    };
    match (random.below(3), expression[at..].chars().next()) {
        (1, Some(_)) => drop(expression.remove(at)),
        (2, Some(letter)) => expression.insert(at, letter),
        _ => expression.insert_str(at, random.one(LETTERS)),
    }
}

/// A text to search, some of it made from the expression.
fn text(expression: &str, random: &mut Generator) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..3 + random.below(20) {
        match random.below(16) {
            0 => text.extend(expression.bytes()),
            1 => text.extend(expression.bytes().filter(|byte| *byte != b'\\')),
            2 => text.extend(
                expression
                    .chars()
                    .filter(|c| c.is_alphanumeric())
                    .collect::<String>()
                    .bytes(),
            ),
            3 if random.once_in(8) => text.extend(random.one(ODD)),
            4 | 5 => text.extend(random.some(LINES, 2, 4).bytes()),
            _ => text.extend(random.one(LINES).bytes()),
        }
        text.push(b'\n');
    }
    if random.once_in(6) {
        text.pop();
    }
    text
}

/// A file of expressions, now and then with bytes that are none.
pub(super) fn file(random: &mut Generator) -> Vec<u8> {
    let mut file = Vec::new();
    for _ in 0..random.below(4) {
        file.extend(expression(random).bytes());
        if random.once_in(8) {
            file.extend(random.one(ODD));
        }
        file.push(b'\n');
    }
    if random.once_in(4) {
        file.pop();
    }
    file
}

/// One call of `program` with an expression, and its standard input.
pub(super) fn call(program: &str, random: &mut Generator) -> (Vec<String>, Option<Vec<u8>>) {
    let mut expression = expression(random);
    expression.retain(|character| character != '\0');
    let text = text(&expression, random);
    let mut args = vec![program.to_string()];
    match program {
        "grep" => grep(&mut args, expression, random),
        "sed" => sed(&mut args, &expression, random),
        "find" => find(&mut args, expression, random),
        "rg" => rg(&mut args, expression, random),
        other => panic!("no expressions of {other}"),
    }
    (args, Some(text))
}

fn grep(args: &mut Vec<String>, expression: String, random: &mut Generator) {
    args.push(
        random
            .one(&["-G", "-G", "-E", "-E", "-E", "-P", "-P", "-F"])
            .to_string(),
    );
    for _ in 0..random.below(3) {
        args.push(
            random
                .one(&[
                    "-i", "-w", "-x", "-o", "-c", "-n", "-v", "-q", "-on", "-iw", "-ix", "-io",
                    "-a",
                ])
                .to_string(),
        );
    }
    args.push("-e".to_string());
    args.push(expression);
    if random.once_in(8) {
        args.push("-e".to_string());
        args.push(self::expression(random));
    }
    if random.once_in(30) {
        args.push("-fpatterns".to_string());
    }
}

fn sed(args: &mut Vec<String>, expression: &str, random: &mut Generator) {
    if random.once_in(2) {
        args.push(random.one(&["-E", "-E", "-r"]).to_string());
    }
    // What a delimiter means in an expression is left to the reader of scripts.
    let delimiter = random.one(&["/", "/", "/", "/", "|", "#", ",", "!"]);
    let script = match random.below(4) {
        0 => {
            args.push("-n".to_string());
            format!("/{expression}/{}p", random.one(&["", "", "I"]))
        }
        1 => format!("/{expression}/d"),
        _ => {
            let by = random.one(&["<&>", "X", "<\\1>", "", "\\2-\\1", "[\\0]"]);
            let flags = random.one(&["", "g", "g", "2", "gI", "I", "gp", "2g"]);
            format!("s{delimiter}{expression}{delimiter}{by}{delimiter}{flags}")
        }
    };
    let script = match random.below(12) {
        0 => format!("N;{script}"),
        1 => format!("N;N;{script}"),
        _ => script,
    };
    args.push(script);
}

fn find(args: &mut Vec<String>, expression: String, random: &mut Generator) {
    args.push(".".to_string());
    if random.once_in(2) {
        args.push("-regextype".to_string());
        args.push(
            random
                .one(&[
                    "posix-extended",
                    "posix-basic",
                    "egrep",
                    "grep",
                    "sed",
                    "emacs",
                    "posix-egrep",
                    "awk",
                ])
                .to_string(),
        );
    }
    args.push(random.one(&["-regex", "-iregex"]).to_string());
    args.push(match random.below(3) {
        0 => format!(".*{expression}"),
        1 => format!(".*{expression}.*"),
        _ => expression,
    });
}

fn rg(args: &mut Vec<String>, expression: String, random: &mut Generator) {
    for _ in 0..random.below(3) {
        args.push(
            random
                .one(&[
                    "-i",
                    "-w",
                    "-x",
                    "-o",
                    "-c",
                    "-n",
                    "-v",
                    "-q",
                    "-S",
                    "-F",
                    "-U",
                    "-P",
                    "-s",
                    "--no-unicode",
                ])
                .to_string(),
        );
    }
    args.push(format!("--regexp={expression}"));
    if random.once_in(8) {
        args.push(format!("--regexp={}", self::expression(random)));
    }
    if random.once_in(30) {
        args.push("-fpatterns".to_string());
    }
    args.push("b.txt".to_string());
}
