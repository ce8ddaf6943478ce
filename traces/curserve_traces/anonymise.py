"""Secrets and home folders in traces: found by pattern, masked with a word for what they were.

Masking changes recorded outputs, so a masked trace is for publishing; its calls no longer compare with a replay
where something was masked. Every mask is counted and reported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from curserve_traces.model import Trace, digest

T = TypeVar("T")

RULES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    (
        "private key",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
        "[private key]",
    ),
    ("GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"), "[token]"),
    ("API key", re.compile(r"\b(?:sk|pk|rk)-(?:ant-|proj-|live-|test-)?[A-Za-z0-9_-]{20,}"), "[key]"),
    ("Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{20,}"), "[token]"),
    ("AWS key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), "[key]"),
    ("Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"), "[token]"),
    ("JWT", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"), "[token]"),
    (
        "assigned secret",
        re.compile(
            r"(?i)\b((?:[a-z0-9_]*_)?(?:api_?key|secret|token|passw(?:or)?d))(\s*[=:]\s*[\"']?)"
            r"(?!\[)[^\s\"'<>$(){}\[\],;]{8,}"
        ),
        r"\1\2[secret]",
    ),
    ("bearer", re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/-]{16,}=*"), r"\1[token]"),
    ("credentials in a URL", re.compile(r"\b(https?://)[^\s/:@]+:[^\s/@]+@"), r"\1[user]:[secret]@"),
    (
        "home folder",
        re.compile(r"(/home/|/Users/|C:\\+Users\\+)(?!USER\b|user\b|runner\b)[^\s/\\:\"'<>|*?]+"),
        r"\1USER",
    ),
    ("e-mail", re.compile(r"\b[\w.+-]+@(?!example\.)[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b"), "[e-mail]"),
)


def mask_text(text: str, found: Counter[str]) -> str:
    """Return the text with secrets and home folders masked; what was found is counted."""
    for name, pattern, mask in RULES:
        text, count = pattern.subn(mask, text)
        if count:
            found[name] += count
    return text


def mask_bytes(data: bytes, found: Counter[str]) -> bytes:
    """Return bytes with secrets masked; what is not UTF-8 stays as it is."""
    masked = mask_text(data.decode("utf-8", errors="surrogateescape"), found)
    return masked.encode("utf-8", errors="surrogateescape")


def anonymise(trace: Trace) -> tuple[Trace, Counter[str]]:
    """Return the trace with secrets and home folders masked in every text, and what was found."""
    found: Counter[str] = Counter()
    return _walk(trace, found), found


def _walk(value: T, found: Counter[str]) -> T:
    out: Any = value
    if isinstance(value, str):
        out = mask_text(value, found)
    elif isinstance(value, bytes):
        out = mask_bytes(value, found)
    elif isinstance(value, Mapping):
        out = {mask_text(str(key), found): _walk(item, found) for key, item in value.items()}
    elif isinstance(value, tuple | list):
        out = type(value)(_walk(item, found) for item in value)
    elif is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: _walk(getattr(value, field.name), found) for field in fields(value)}
        if "content" in changed and "after" in changed and isinstance(changed["content"], bytes):
            changed["after"] = digest(changed["content"])  # a change whose content was masked has another digest
        out = replace(value, **changed)
    return out  # type: ignore[no-any-return]
