"""What of an observation travels to the model: its text, cut as the recorded agent cut it; in vLLM and outside."""

from __future__ import annotations

from curserve_traces.model import Observation


def shown_text(observation: Observation, truncate_chars: int | None) -> str:
    """Return the text that the model reads; longer than `truncate_chars`, the middle is left out."""
    text = observation.shown()
    if not text.isascii():
        text = text.encode("utf-8", errors="replace").decode()  # lone surrogates, which JSON cannot carry
    if truncate_chars is None or len(text) <= truncate_chars:
        return text
    half = truncate_chars // 2
    cut = len(text) - 2 * half
    return f"{text[:half]}\n[… {cut} characters left out …]\n{text[len(text) - half :]}"
