"""What a sed or awk script does: both are languages that can write files and run programs.

`sed -n '1e rm -rf .'` and `awk '{system($0)}'` look like reads. The scripts are read command by command; what
is not understood is `other`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from curserve_traces.model import Effect
from curserve_traces.shell import HOLE

_SED_SIMPLE = set("{}=dDgGhHlnNpPqQxzF")
_SED_TO_END_OF_LINE = set("aic:btTrRv#")


def sed_effect(arguments: Sequence[str]) -> Effect:
    """Return what `sed` with these arguments does."""
    scripts: list[str] = []
    edits = False
    operands: list[str] = []
    at = 0
    while at < len(arguments):
        word = arguments[at]
        at += 1
        if word == "--":
            operands += arguments[at:]
            break
        if word.startswith("--"):
            name, _, value = word.partition("=")
            if name == "--in-place":
                edits = True
            elif name == "--expression":
                scripts.append(value or (arguments[at] if at < len(arguments) else ""))
                at += not value
            elif name in ("--file", "--follow-symlinks"):
                return "other"
        elif word.startswith("-") and len(word) > 1:
            for place, letter in enumerate(word[1:], 2):
                if letter == "i":
                    edits = True
                    break
                if letter == "f":
                    return "other"
                if letter in "el":
                    value = word[place:] or (arguments[at] if at < len(arguments) else "")
                    at += not word[place:]
                    if letter == "e":
                        scripts.append(value)
                    break
        else:
            operands.append(word)
    if not scripts:
        scripts = operands[:1]
    effects = {sed_script_effect(script) for script in scripts}
    if "other" in effects:
        return "other"
    return "edit" if edits or "edit" in effects else "read"


_SED_ADDRESS = re.compile(r"\s*(?:\d+|\$|[+~]\d+)(?:~\d+)?")


def sed_script_effect(script: str) -> Effect:
    """Return what a sed script does: `w` and `s///w` write, `e` and `s///e` run programs."""
    text = script.replace(HOLE, "1")
    effect: Effect = "read"
    at, end = 0, len(text)
    while at < end:
        letter = text[at]
        if letter in " \t\n;,!IM" or letter == "\\":
            if letter == "\\" and at + 1 < end:  # an address with its own delimiter: \cREGEXc
                at = _past(text, at + 2, text[at + 1])
                continue
            at += 1
        elif match := _SED_ADDRESS.match(text, at):
            at = match.end()
        elif letter == "/":
            at = _past(text, at + 1, "/")
        elif letter in "sy":
            if at + 1 >= end:
                return "other"
            delimiter = text[at + 1]
            at = _past(text, _past(text, at + 2, delimiter), delimiter)
            flags = re.compile(r"[gpiIMm0-9]*").match(text, at)
            at = flags.end() if flags else at
            if letter == "s" and at < end and text[at] == "e":
                return "other"
            if letter == "s" and at < end and text[at] == "w":
                effect, at = "edit", _line_end(text, at)
        elif letter in "wW":
            effect, at = "edit", _line_end(text, at)
        elif letter in _SED_TO_END_OF_LINE:
            stop = _line_end(text, at)
            semicolon = text.find(";", at)
            at = semicolon if letter in "btTv" and 0 <= semicolon < stop else stop
        elif letter in _SED_SIMPLE:
            at += 1
        else:
            return "other"
    return effect


def _past(text: str, at: int, delimiter: str) -> int:
    """Return the place after the next unescaped delimiter that is not inside a bracket expression."""
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == delimiter:
            return at + 1
        else:
            at += 1
    return len(text)


def _line_end(text: str, at: int) -> int:
    """Return the end of the line from `at`, following lines that end in a backslash."""
    while at < len(text) and text[at] != "\n":
        at += 2 if text[at] == "\\" else 1
    return min(at, len(text))


_AWK_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_AWK_REGEX = re.compile(r"(^|[~(,!&|{;\n]\s*|^\s*)/(?:[^/\\\n]|\\.)*/")
_AWK_OPTIONS_WITH_VALUE = ("-F", "-v")


def awk_effect(arguments: Sequence[str]) -> Effect:
    """Return what `awk` with these arguments does."""
    at = 0
    while at < len(arguments):
        word = arguments[at]
        if word in _AWK_OPTIONS_WITH_VALUE:
            at += 2
        elif word == "--":
            at += 1
            break
        elif word.startswith(_AWK_OPTIONS_WITH_VALUE):
            at += 1
        elif word.startswith("-") and len(word) > 1:
            return "other"  # -f, -i inplace, -l, --exec …
        else:
            break
    return awk_script_effect(arguments[at]) if at < len(arguments) else "read"


def awk_script_effect(script: str) -> Effect:
    """Return what an awk program does: `system` and pipes run programs, `print >` writes."""
    text = _AWK_STRING.sub('""', script)
    text = _AWK_REGEX.sub(lambda match: match[1] + '""', text)
    if re.search(r"\bsystem\s*\(|(?<!\|)\|(?!\|)|@\w|\bgetline\s*<", text):
        return "other"
    for match in re.finditer(r"\bprintf?\b[^;}\n]*", text):
        if ">" in _without_parentheses(match[0]):
            return "edit"
    return "read"


def _without_parentheses(text: str) -> str:
    """Drop what stands in parentheses, where `>` compares."""
    before = None
    while before != text:
        before, text = text, re.sub(r"\([^()]*\)", "", text)
    return text
