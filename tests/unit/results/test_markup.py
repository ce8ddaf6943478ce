"""What a document does with a name from outside: nothing. Markdown calls nobody, LaTeX takes no option."""

import pytest

from curserve_results.render import render_tables
from curserve_results.render.markup import escape_markdown
from curserve_results.table import Column, Table, Value

HOSTILE = "[x]*|<script> \x1b[31m\u202e"


def table(name: str) -> Table:
    columns = (Column("engine", "engine"), Column("name", name, "duration"))
    return Table("t", name, columns, ({"engine": Value(name), "name": Value(1e6)},), (name,))


def test_a_heading_from_outside_is_escaped() -> None:
    header = render_tables([table(HOSTILE)], "markdown").splitlines()[2]
    assert header == "| engine | \\[x\\]\\*\\|\\<script\\>  \\[31m  |"


def test_our_own_headings_keep_their_brackets() -> None:
    assert "| speed-up [95 %] |" in render_tables([table("speed-up [95 %]")], "markdown")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@octocat", "@&#8203;octocat"),
        ("me@evil.example", "me@&#8203;evil.example"),
        ("www.evil.example", "www&#46;evil.example"),
        ("WWW.evil.example", "WWW&#46;evil.example"),
        ("https://evil.example", "https:&#47;&#47;evil.example"),
        ("see #12", "see \\#&#8203;12"),
        ("a @ b", "a @ b"),
    ],
)
def test_nobody_is_called_and_nothing_linked(text: str, shown: str) -> None:
    assert escape_markdown(text) == shown


@pytest.mark.parametrize("name", ["[x] y", "*y", " [x]"])
def test_a_latex_cell_is_no_option_of_what_stands_before_it(name: str) -> None:
    lines = render_tables([table(name)], "latex").splitlines()
    (row,) = (line for line in lines if line.endswith("1.00 ms \\\\"))
    assert row.strip().startswith("{}" + name[:1])


@pytest.mark.parametrize("form", ["csv", "markdown", "latex", "html"])
def test_no_control_character_reaches_a_document(form: str) -> None:
    text = render_tables([table(HOSTILE)], form)
    assert "\x1b" not in text
    assert "\u202e" not in text
