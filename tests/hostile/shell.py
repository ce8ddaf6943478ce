"""Lines that want the daemon's own shell and tools dead, or an answer that is not the real programs'.

Lines of one session each, with innocent ones between: the daemon answers as the real programs do, or leaves the line to
them, and lives. What is compared is its answer with that of `client-subprocess`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

import making
from attack import Attack, Done, Stage

HUGE = ("10001", "100000", "2147483648", "9223372036854775808", "18446744073709551616", "99999999999999999999999")


def _numbers() -> list[str]:
    """Return lines with numbers at and beyond what their readers hold."""
    shapes = (
        "printf '%{n}d' 1 | wc -c", "printf '%.{n}f' 1 | wc -c", "printf '%-{n}s|' x | wc -c", "printf '%*d' {n} 1 | wc -c",
        "head -n {n} a.txt", "head -n -{n} a.txt", "head -c {n} a.txt", "head -c -{n} a.txt", "tail -n {n} a.txt",
        "tail -n +{n} a.txt", "tail -c {n} a.txt", "tail -c +{n} a.txt", "sed -n {n}p a.txt", "sed -n '1,{n}p' a.txt",
        "sed 's/a/b/{n}' a.txt", "sed -n '0~{n}p' a.txt", "sed '{n}q' a.txt", "cut -c {n} a.txt", "cut -c 1-{n} a.txt",
        "cut -f {n}- a.txt", "grep -m {n} a a.txt", "grep -A {n} a a.txt", "grep -B {n} a a.txt", "grep -C {n} a a.txt",
        "rg -m {n} a a.txt", "rg -A {n} a a.txt", "rg -d {n} a", "find . -maxdepth {n} -name a.txt", "find . -mindepth {n}",
        "find . -size +{n}c", "find . -mtime +{n}", "find . -newermt @{n}", "sort -k {n} a.txt", "sort -k 1.{n} a.txt",
        "uniq -f {n} a.txt", "uniq -s {n} a.txt", "uniq -w {n} a.txt", "nl -w {n} a.txt | wc -c", "nl -v {n} a.txt",
        "nl -i {n} a.txt", "xargs -n {n} echo < a.txt", "xargs -L {n} echo < a.txt", "xargs -P {n} echo < a.txt",
        "xargs -s {n} echo < a.txt", "tree -L {n}", "seq {n} {n}", "seq 1 {n} | head -2", "echo $(({n}))", "echo $(({n} + 1))",
        "echo $((-{n}))", "echo $((1 << {n}))", "echo $((2 ** {n}))", "[ {n} -gt 1 ]; echo $?", "test -{n} -lt 1; echo $?",
        "echo ${{x:{n}}}", "x=abc; echo ${{x:0:{n}}}", "echo {{1..3}}{{{n}..{n}}}", "sleep 0; exit {n}", "shift {n}; echo $?",
        "expr {n} + 1", "fold -w {n} a.txt", "paste -d '' a.txt | head -{n}", "tr -s a '[b*{n}]' < a.txt", "wc -L a.txt | cut -c {n}",
        "echo a | sed 's/a/\\{n}/'", "sed -n '/a/,+{n}p' a.txt", "break {n}; echo $?", "cat a.txt {n}>&1", "ls -w {n}", "ls -T {n}",
        "basename a{n}", "dirname /{n}", "printf '\\{n}' | wc -c", "printf '\\x{n}' | wc -c", "printf '%b' '\\0{n}' | wc -c",
    )  # fmt: skip
    return [shape.format(n=number) for shape in shapes for number in HUGE]


def _deep(open_: str, middle: str, close: str, times: int) -> str:
    return open_ * times + middle + close * times


NESTS = {
    "doubling": "x=a; for i in $(seq 1 40); do x=$x$x; done; echo ${#x}",
    "doubling-of-a-list": "x='a b'; for i in $(seq 1 40); do x=\"$x $x\"; done; echo $x | wc -w",
    "doubling-in-arithmetic": "x='1+1'; for i in $(seq 1 30); do x=\"$x+$x\"; done; echo $((x))",
    "doubling-by-sed": "sed ':a;s/.*/&&/;ta' a.txt",
    "doubling-by-substitution": "x=aa; for i in $(seq 1 40); do x=${x//a/aa}; done; echo ${#x}",
    "doubling-of-braces": "echo {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b} | wc -c",
    "range": "echo {1..99999999} | wc -c",
    "seq": "seq 1 99999999999 | tail -1",
    "alias-of-itself": "f() { f; }; f",
    "variable-of-itself": "x=x; echo $((x))",
    "variable-ring": "x=y y=x; echo $((x))",
    "ifs": "x=$(head -c 3000000 /dev/zero | tr '\\0' ' '); for w in $x; do echo $w; done | wc -l",
    "if": _deep("if true; then ", "echo a", "; fi", 800),
    "while": _deep("while true; do ", "break", "; done", 800),
    "for": _deep("for i in 1; do ", "echo a", "; done", 800),
    "case": _deep("case a in a) ", "echo a", ";; esac", 800),
    "parentheses": _deep("( ", "echo a", " )", 3000),
    "braces": _deep("{ ", "echo a", "; }", 3000),
    "bang": _deep("! ", "true", "", 30000),
    "substitution": _deep("echo $( ", "echo a", " )", 800),
    "backquotes": "echo `echo \\`echo \\\\\\`echo a\\\\\\`\\``",
    "quotes": _deep("\"$(echo ", "a", ")\"", 800),
    "arithmetic": "echo $((" + _deep("(", "1", ")", 5000) + "))",
    "arithmetic-signs": "echo $((" + "-" * 20000 + "1))",
    "arithmetic-choice": "echo $((" + "1?1:" * 5000 + "1))",
    "arithmetic-powers": "echo $((" + "1**" * 5000 + "1))",
    "default-values": "echo " + _deep("${x:-", "a", "}", 3000),
    "test": "[[ " + _deep("( ", "a", " )", 3000) + " ]]",
    "test-not": "[ " + "! " * 5000 + "a ]",
    "and": " && ".join(["true"] * 20000),
    "pipes": " | ".join(["cat"] * 600),
    "semicolons": "; ".join(["true"] * 50000),
    "heredoc": "cat <<A\n" * 300 + "a\n" + "A\n" * 300,
    "time": "time " * 5000 + "true",
    "function": "".join(f"f{n}() {{ " for n in range(500)) + "echo a" + "; }" * 500,
    "sed-blocks": "sed -n '" + "{" * 5000 + "p" + "}" * 5000 + "' a.txt",
    "sed-labels": "sed ':a;ba' a.txt",
    "sed-grows": "sed ':a;s/$/xxxxxxxxxxxxxxxx/;ba' a.txt",
    "sed-hold": "sed -n ':a;G;h;ba' a.txt",
    "find-parentheses": "find . " + "\\( " * 5000 + "-name a.txt" + " \\)" * 5000,
    "find-not": "find . " + "! " * 20000 + "-name a.txt",
    "find-or": "find . -name a.txt" + " -o -name a.txt" * 5000,
    "find-exec": "find . -exec find . -exec find . -exec echo {} \\; \\; \\;",
    "grep-parentheses": "grep -E '" + "(" * 5000 + "a" + ")" * 5000 + "' a.txt",
    "grep-groups": "grep '" + "\\(" * 5000 + "a" + "\\)" * 5000 + "' a.txt",
    "grep-count": "grep -E 'a{1,255}{1,255}{1,255}{1,255}' a.txt",
    "grep-stars": "grep -E 'a" + "*" * 20000 + "' a.txt",
    "grep-choices": "grep -E '" + "|".join(["a"] * 50000) + "' a.txt",
    "grep-classes": "grep '" + "[[:alpha:]]" * 5000 + "' a.txt",
    "grep-back": "grep -E '(a*)*\\1\\1\\1b' a.txt",
    "rg-parentheses": "rg '" + "(" * 5000 + "a" + ")" * 5000 + "'",
    "rg-count": "rg 'a{1000}{1000}{1000}'",
    "rg-words": "rg '\\w{1000}\\w{1000}\\w{1000}\\w{1000}'",
    "rg-glob-braces": "rg -g '" + "{" * 3000 + "' alpha",
    "rg-glob-pairs": "rg -g '" + _deep("{a,", "b", "}", 3000) + "' alpha",
    "rg-glob-stars": "rg -g '" + "**/" * 5000 + "a.txt' alpha",
    "rg-globs": "rg " + "-g '*.py' " * 5000 + "alpha",
    "glob-stars": "ls " + "*" * 5000,
    "glob-mix": "ls *a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
    "glob-extended": "shopt -s extglob; ls +(" * 1 + "a|" * 3000 + "a)",
    "glob-slashes": "ls " + "*/" * 3000,
    "case-stars": "case aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa in " + "*a" * 100 + "b) echo a;; esac",
    "path-up": "cat " + "../" * 20000 + "testbed/a.txt",
    "path-long": "cat " + "b/../" * 5000 + "a.txt",
    "cd-deep": "for i in $(seq 3000); do mkdir -p z && cd z; done; pwd | wc -c",
    "word-long": "echo " + "a" * 5_000_000 + " | wc -c",
    "line-of-nul": "printf 'a\\0b' | cat",
    "xargs-many": "seq 1 300000 | xargs echo | wc -l",
    "xargs-replace": "seq 1 3000 | xargs -I{} echo {}{}{}{}{}{}{}{} | tail -1",
    "tr-classes": "tr '" + "[:alpha:]" * 3000 + "' a < a.txt",
    "tr-range": "tr '\\000-\\377' '[a*]' < a.txt | head -c 9",
    "sort-keys": "sort " + "-k 1,1 " * 3000 + "a.txt",
    "cut-ranges": "cut -c " + "1-2," * 20000 + "3 a.txt",
    "awk": "awk 'BEGIN { while (1) x = x \"aaaaaaaa\" }'",
    "printf-many": "printf '%s\\n' {1..300000} | wc -l",
    "printf-format": "printf '" + "%s" * 20000 + "' a | wc -c",
    "history": "!" * 20000,
    "not-utf8": "cat $'a\\xff.txt'; echo $'\\xff\\xfe' | grep -c .; ls $'\\xc3'*",
    "escapes": "echo -e '\\033[2J\\033]0;pwned\\007' | cat -v",
}  # fmt: skip
FIRST = ("doubling", "if", "rg-glob-braces", "sed-grows")
# Tools that agents call by name, not by a line of the shell.
CALLS = {
    "glob-braces": {"tool": "glob", "arguments": {"pattern": "{" * 500}},
    "glob-pairs": {"tool": "glob", "arguments": {"pattern": _deep("{a,", "b", "}", 2000)}},
    "glob-stars": {"tool": "glob", "arguments": {"pattern": "**/" * 5000 + "a"}},
    "glob-brackets": {"tool": "glob", "arguments": {"pattern": "[" * 5000}},
    "glob-nul": {"tool": "glob", "arguments": {"pattern": "a\0*"}},
    "glob-limit": {"tool": "glob", "arguments": {"pattern": "*", "limit": 2**63}},
    "grep-pattern": {"tool": "grep", "arguments": {"pattern": "(" * 3000 + ")" * 3000}},
    "grep-globs": {"tool": "grep", "arguments": {"pattern": "a", "glob": ["{" * 3000] * 30}},
    "grep-context": {"tool": "grep", "arguments": {"pattern": "a", "mode": "content", "context": 2**63}},
    "grep-option": {"tool": "grep", "arguments": {"pattern": "--pre=touch OUTSIDE/pwned", "path": "--files"}},
    "grep-type": {"tool": "grep", "arguments": {"pattern": "a", "type": "py' --pre 'touch"}},
    "grep-out": {"tool": "grep", "arguments": {"pattern": "TOP", "path": "OUTSIDE", "mode": "content"}},
    "read-out": {"tool": "read", "arguments": {"path": "OUTSIDE/secret"}},
    "read-leak": {"tool": "read", "arguments": {"path": "leak"}},
    "read-up": {"tool": "read", "arguments": {"path": "../" * 40 + "etc/shadow"}},
    "read-device": {"tool": "read", "arguments": {"path": "/dev/zero"}},
    "read-proc": {"tool": "read", "arguments": {"path": "/proc/1/environ"}},
    "read-offset": {"tool": "read", "arguments": {"path": "a.txt", "offset": 2**63, "limit": 2**63}},
    "read-below": {"tool": "read", "arguments": {"path": "a.txt", "offset": -1}},
    "list-out": {"tool": "list", "arguments": {"path": "OUTSIDE"}},
    "write-out": {"tool": "write", "arguments": {"path": "OUTSIDE/victim", "content": "pwned"}},
    "write-leak": {"tool": "write", "arguments": {"path": "escape/victim", "content": "pwned"}},
    "write-deep": {"tool": "write", "arguments": {"path": "d/" * 20000 + "f", "content": "x"}},
    "write-dir": {"tool": "write", "arguments": {"path": ".", "content": "x"}},
    "write-nul": {"tool": "write", "arguments": {"path": "a\0b", "content": "x"}},
    "write-worker": {"tool": "write", "arguments": {"path": "/opt/curserve/libexec/curserve", "content": "x"}},
    "edit-out": {"tool": "edit", "arguments": {"path": "OUTSIDE/victim", "old": "untouched", "new": "pwned"}},
    "edit-leak": {"tool": "edit", "arguments": {"path": "leak", "old": "TOP", "new": "pwned"}},
    "edit-grows": {"tool": "edit", "arguments": {"path": "a.txt", "old": "a", "new": "a" * 3_000_000, "all": True}},
    "bash-argv": {"tool": "bash", "arguments": {"argv": ["cat", "OUTSIDE/secret"]}},
    "bash-argv-many": {"tool": "bash", "arguments": {"argv": ["echo"] + ["a"] * 300000}},
    "bash-nul": {"tool": "bash", "arguments": {"command": "echo a\0touch OUTSIDE/pwned"}},
    "bash-cwd": {"tool": "bash", "arguments": {"command": "pwd"}, "cwd": "OUTSIDE"},
    "bash-cwd-up": {"tool": "bash", "arguments": {"command": "cat etc/shadow"}, "cwd": "/testbed/../"},
    "wrong-kinds": {"tool": "write", "arguments": {"path": 5, "content": ["x"]}},
    "deep-arguments": {"tool": "bash", "arguments": {"command": "true", "more": [[[[[[{}]]]]]]}},
}  # fmt: skip
INNOCENT = "grep -rn alpha b | sort; echo right"
OF_NUMBERS_S = 25
"""bash takes four seconds of two idle processors to print two thousand million blanks, and is not always alone."""
RIGHT = "b/c.py:1:alpha b/c.py\nb/d.md:1:alpha b/d.md\nright\n"


def _call(stage: Stage, engine: str = "daemon", timeout_s: int = 6) -> list[str]:
    return [
        "call",
        "--engine",
        engine,
        "--workspace",
        str(stage.workspace),
        "--timeout-s",
        str(timeout_s),
        *stage.sandboxed(),
    ]


def _stdin(stage: Stage, lines: list[bytes]) -> bytes:
    good = making.asked(INNOCENT)
    return good + b"".join(stage.fill(line.decode()).encode() + good for line in lines)


def _lives(_stage: Stage, done: Done, count: int) -> None:
    said = making.answers(done.stdout)
    assert len(said) == 2 * count + 1, f"{len(said)} answers of {2 * count + 1}: {done.stderr[-300:]}"
    for number in range(0, len(said), 2):
        assert said[number].get("stdout") == RIGHT, f"after call {number - 1}: {json.dumps(said[number])[:300]}"


def _equal(stage: Stage, done: Done, lines: list[str]) -> None:
    """Every line is answered as the real programs answer it."""
    words = [sys.executable, "-m", "curserve_harness", *_call(stage, "client-subprocess", OF_NUMBERS_S)]
    given = b"".join(making.asked(line) for line in lines)
    real = subprocess.run(
        words, input=given, capture_output=True, env=stage.environment(), cwd=stage.work, check=False
    )
    wrong = []
    for line, ours, theirs in zip(
        lines, making.answers(done.stdout), making.answers(real.stdout.decode()), strict=True
    ):
        if line.startswith("rg "):  # the order of its files is its threads'
            for answer in (ours, theirs):
                answer["stdout"] = "\n".join(sorted(answer["stdout"].splitlines()))
        if any(ours[key] != theirs[key] for key in ("exit_code", "stdout", "stderr", "failed")):
            wrong.append(f"{line[:60]}: {str(ours)[:90]} for {str(theirs)[:90]}")
    assert not wrong, f"{len(wrong)} of {len(lines)} differ: " + " | ".join(wrong[:4])


def attacks() -> list[Attack]:
    """Return the attacks of this kind."""
    found = [
        Attack(
            f"shell.{name}",
            _call,
            (0, 4),
            held=partial(_lives, count=1),
            stdin=partial(_stdin, lines=[making.asked(line)]),
            sandbox=name in FIRST,
            sample=name in FIRST,
            one=True,
            most_kb=5 << 20,  # the real programs are counted too, and have 4 GiB
        )
        for name, line in NESTS.items()
    ]
    found += [
        Attack(
            f"shell.calls-{engine}",
            partial(_call, engine=engine),
            (0, 4),
            held=partial(_lives, count=len(CALLS)),
            stdin=partial(_stdin, lines=[json.dumps(call).encode() + b"\n" for call in CALLS.values()]),
            sandbox=True,
            sample=engine == "daemon",
            timeout_s=240,
        )
        for engine in ("daemon", "client-subprocess")
    ]
    lines = _numbers()
    for number in range(0, len(lines), 60):
        part = lines[number : number + 60]
        found.append(
            Attack(
                f"shell.numbers-{number // 60}",
                partial(_call, timeout_s=OF_NUMBERS_S),
                (0, 4),
                held=partial(_equal, lines=part),
                stdin=partial(lambda _stage, part: b"".join(making.asked(line) for line in part), part=part),
                sample=number == 0,
                one=True,
                timeout_s=240,
            )
        )
    return found
