"""What every page has around its body: a policy that forbids each request, a title, a style."""

from __future__ import annotations

from importlib import resources
from string import Template

from curserve_results.render.markup import escape_html


def whole_page(title: str, style: str, body: str, *, draws: bool = False) -> str:
    """Return a page; one that `draws` by a library may make code and pictures of its own."""
    shell = (resources.files("curserve_results.page") / "shell.html").read_text("utf-8")
    return Template(shell).substitute(
        scripts=" 'unsafe-eval'" if draws else "",
        images=" blob:" if draws else "",
        title=escape_html(title),
        style=style,
        body=body,
    )
