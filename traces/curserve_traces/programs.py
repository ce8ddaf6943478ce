"""What single programs do to a workspace: the rules that `classify` applies to each simple command.

A rule looks at a program's words and answers `read`, `edit` or `other`. What a rule cannot see (a program that
is not listed, an option that runs something) is `other`: such a call is answered from its recording.
The list of readers comes from the calls of recorded agents (docs/METHODOLOGY.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from curserve_traces.model import Effect
from curserve_traces.sedawk import awk_effect, sed_effect

Judge = Callable[[Sequence[str]], Effect]
"""Judges a command line that another one runs (`xargs grep -l x`)."""

NEUTRAL = frozenset(
    "cd pwd echo printf true false : test [ [[ read exit return break continue set shopt export local declare "
    "typeset readonly unset wait shift pushd popd dirs type hash getopts let ulimit".split()
)
READERS = frozenset(
    "cat head tail grep egrep fgrep zgrep zcat bzcat xzcat ls dir wc cut tr nl tac rev fold fmt column paste comm "
    "join expand unexpand diff cmp sdiff stat file du basename dirname realpath readlink which whereis seq "
    "md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum strings od xxd hexdump base64 "
    "tsort numfmt jq less more pgrep ag look locale".split()
) - {"pgrep", "locale"}
EDITORS = frozenset(
    "mkdir mv cp rm rmdir touch ln chmod truncate install patch tee mktemp unlink split csplit".split()
)

_FIND_WRITES = {"-delete", "-fprint", "-fprint0", "-fprintf", "-fls"}
_FIND_RUNS = {"-exec", "-execdir", "-ok", "-okdir"}

_GIT_READS = frozenset(
    "log diff show blame annotate status ls-files ls-tree rev-parse rev-list describe shortlog cat-file "
    "grep merge-base name-rev for-each-ref show-ref diff-tree diff-index diff-files check-ignore "
    "check-attr whatchanged var version help count-objects cherry range-diff show-branch".split()
)
_GIT_SAFE_CONFIG = (
    "color.",
    "core.pager=cat",
    "core.quotepath=",
    "core.quotePath=",
    "pager.",
    "log.",
    "diff.color",
)
_GIT_RUNS = ("--output", "--ext-diff", "--textconv", "-O", "--open-files-in-pager", "--upload-pack", "--exec")


def strongest(effects: Sequence[Effect]) -> Effect:
    """Return the strongest of several effects: `other` over `edit` over `read`."""
    return "other" if "other" in effects else "edit" if "edit" in effects else "read"


def program_effect(words: Sequence[str], judge: Judge) -> Effect:
    """Return what one program with these words does; `words` is not empty and words[0] a bare name."""
    name, arguments = words[0], list(words[1:])
    special = _SPECIAL.get(name)
    if special is not None:
        return special(arguments, judge)
    if name in NEUTRAL or name in READERS:
        return "read"
    return "edit" if name in EDITORS else "other"


def _inner(skip_options_with_value: str, operands: int = 0) -> Callable[[list[str], Judge], Effect]:
    """Return the rule of a program that runs another one after its own options and `operands` operands."""

    def rule(arguments: list[str], judge: Judge) -> Effect:
        at = 0
        while at < len(arguments) and arguments[at].startswith("-") and arguments[at] != "-":
            word = arguments[at]
            at += 2 if len(word) == 2 and word[1] in skip_options_with_value else 1
            if word == "--":
                break
        rest = arguments[at + operands :]
        return judge(rest) if rest else "read"

    return rule


def _env(arguments: list[str], judge: Judge) -> Effect:
    rest = list(arguments)
    while rest and ("=" in rest[0] or rest[0] in ("-i", "-")):
        if _dangerous(rest[0].partition("=")[0], rest[0].partition("=")[2]):
            return "other"
        rest.pop(0)
    if rest and rest[0].startswith("-"):
        return "other"
    return judge(rest) if rest else "other"


def _dangerous(name: str, value: str) -> bool:
    """Whether an assignment can change what a harmless-looking command runs."""
    if name in ("PAGER", "GIT_PAGER", "MANPAGER"):
        return value not in ("cat", "")
    if name in ("GIT_OPTIONAL_LOCKS", "GIT_TERMINAL_PROMPT"):
        return False
    return name in (
        "PATH",
        "BASH_ENV",
        "ENV",
        "SHELLOPTS",
        "LESSOPEN",
        "RIPGREP_CONFIG_PATH",
    ) or name.startswith(("LD_", "GIT_", "BASH_FUNC"))


dangerous_assignment = _dangerous


def _shell(arguments: list[str], judge: Judge) -> Effect:
    for at, word in enumerate(arguments):
        if re.fullmatch(r"-[a-z]*c", word) and at + 1 < len(arguments):
            return judge(["\0script", arguments[at + 1]])
        if not word.startswith("-"):
            break
    return "other"


def _find(arguments: list[str], judge: Judge) -> Effect:
    effects: list[Effect] = ["read"]
    at = 0
    while at < len(arguments):
        word = arguments[at]
        if word in _FIND_WRITES:
            effects.append("edit")
        elif word in _FIND_RUNS:
            end = at + 1
            while end < len(arguments) and arguments[end] not in (";", "+"):
                end += 1
            effects.append(judge(arguments[at + 1 : end]) if end > at + 1 else "other")
            at = end
        at += 1
    return strongest(effects)


def _fd(arguments: list[str], judge: Judge) -> Effect:
    for at, word in enumerate(arguments):
        if word in ("-x", "-X", "--exec", "--exec-batch"):
            return judge(arguments[at + 1 :]) if at + 1 < len(arguments) else "other"
    return "read"


def _rg(arguments: list[str], judge: Judge) -> Effect:  # noqa: ARG001 - the rules share a signature
    runs = any(word.startswith(("--pre", "--hostname-bin", "--search-zip")) or word == "-z" for word in arguments)
    return "other" if runs else "read"


def _sort(arguments: list[str], judge: Judge) -> Effect:  # noqa: ARG001
    if any(word.startswith("--compress-prog") for word in arguments):
        return "other"
    writes = any(re.match(r"-[bdfghiMnRrVcCmsuz]*o|--output", word) for word in arguments)
    return "edit" if writes else "read"


def _uniq(arguments: list[str], judge: Judge) -> Effect:  # noqa: ARG001
    operands, skip = 0, False
    for word in arguments:
        if skip:
            skip = False
        elif word in ("-f", "-s", "-w"):
            skip = True
        elif not word.startswith("-") or word == "-":
            operands += 1
    return "edit" if operands > 1 else "read"


def _tree(arguments: list[str], judge: Judge) -> Effect:  # noqa: ARG001
    return "edit" if any(word in ("-o", "-R") for word in arguments) else "read"


def _tee(arguments: list[str], judge: Judge) -> Effect:  # noqa: ARG001
    harmless = ("/dev/null", "/dev/stderr", "/dev/stdout")
    files = [word for word in arguments if not word.startswith("-") and word not in harmless]
    return "edit" if files else "read"


def _command(arguments: list[str], judge: Judge) -> Effect:
    if arguments and arguments[0] in ("-v", "-V"):
        return "read"
    return judge(arguments[1:] if arguments[:1] == ["-p"] else arguments) if arguments else "read"


def _tar(arguments: list[str], judge: Judge) -> Effect:  # noqa: ARG001
    first = arguments[0].lstrip("-") if arguments else ""
    runs = any(
        word.startswith(("--to-command", "--checkpoint-action", "--use-compress", "-I")) for word in arguments
    )
    return "read" if not runs and (first.startswith("t") or "--list" in arguments) else "other"


def _unzip(arguments: list[str], judge: Judge) -> Effect:  # noqa: ARG001
    return "read" if any(word in ("-l", "-v", "-p", "-Z") for word in arguments[:1]) else "other"


def _git(arguments: list[str], judge: Judge) -> Effect:  # noqa: ARG001
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "-c":
            if not (rest and rest.pop(0).startswith(_GIT_SAFE_CONFIG)):
                return "other"
        elif word in ("-C", "--git-dir", "--work-tree"):
            if rest:
                rest.pop(0)
        elif word in ("--exec-path", "--config-env", "-p", "--paginate"):
            return "other"
    if not rest:
        return "read"
    verb, options = rest[0], rest[1:]
    if any(word.startswith(_GIT_RUNS) for word in options if word.startswith("-")):
        writes = any(word.startswith("--output=") for word in options)
        return "edit" if writes and verb in _GIT_READS else "other"
    if verb in _GIT_READS:
        return "read"
    operands = [word for word in options if not word.startswith("-")]
    flags = {word.partition("=")[0] for word in options if word.startswith("-")}
    listing = {
        "branch": not operands
        or bool(flags & {"-l", "--list", "--contains", "--merged", "--no-merged", "--points-at"}),
        "tag": not operands or bool(flags & {"-l", "--list", "-n", "--contains", "--merged", "--points-at"}),
        "remote": not operands or operands[0] == "get-url",
        "stash": operands[:1] in (["list"], ["show"]),
        "worktree": operands[:1] == ["list"],
        "reflog": not operands or operands[0] in ("show", "HEAD"),
        "config": bool(flags & {"--get", "--list", "-l", "--get-all", "--get-regexp"}) or len(operands) == 1,
        "submodule": operands[:1] == ["status"],
        "notes": operands[:1] in (["list"], ["show"]),
        "bisect": operands[:1] in (["log"], ["view"]),
    }
    deletes = flags & {
        "-d",
        "-D",
        "-m",
        "-M",
        "-f",
        "--delete",
        "--move",
        "--unset",
        "-u",
        "--set-upstream-to",
        "--edit",
        "-e",
    }
    return "read" if listing.get(verb, False) and not deletes else "other"


_SPECIAL: dict[str, Callable[[list[str], Judge], Effect]] = {
    "xargs": _inner("adEIiLlnPs"),
    "time": _inner("fo"),
    "timeout": _inner("ks", operands=1),
    "nice": _inner("n"),
    "ionice": _inner("cn"),
    "nohup": _inner(""),
    "stdbuf": _inner("ioe"),
    "builtin": _inner(""),
    "command": _command,
    "env": _env,
    "bash": _shell,
    "sh": _shell,
    "dash": _shell,
    "find": _find,
    "fd": _fd,
    "fdfind": _fd,
    "rg": _rg,
    "sort": _sort,
    "uniq": _uniq,
    "tree": _tree,
    "tee": _tee,
    "tar": _tar,
    "unzip": _unzip,
    "git": _git,
    "sed": lambda arguments, _judge: sed_effect(arguments),
    "gsed": lambda arguments, _judge: sed_effect(arguments),
    "awk": lambda arguments, _judge: awk_effect(arguments),
    "gawk": lambda arguments, _judge: awk_effect(arguments),
    "mawk": lambda arguments, _judge: awk_effect(arguments),
}
