"""Tables for documents: Markdown, LaTeX (booktabs) and HTML; everything from outside is escaped."""

from __future__ import annotations

import html as html_module
import re
from collections.abc import Sequence

from curserve_results.table import Column, Table, Value, shown

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")
_BARE = re.compile(r"(www)\.", re.IGNORECASE)
_LIVE = re.compile(r"@(?=\w)|\\#(?=\d)")
"""What GitHub takes for a name, an address or an issue, escaped or not; a space without width ends that."""

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "×": r"$\times$",
    "µ": r"\textmu{}",
}


def _one_line(text: str) -> str:
    """Return text without control characters or line breaks: a name from outside stays in its cell."""
    return "".join(c if c.isprintable() else " " for c in text)


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is, within a table cell too."""
    escaped = _MARKDOWN.sub(r"\\\1", _one_line(text)).replace("://", ":&#47;&#47;")
    return _LIVE.sub(r"\g<0>&#8203;", _BARE.sub(r"\1&#46;", escaped))


def escape_latex(text: str) -> str:
    """Return text that LaTeX prints as it is."""
    return "".join(_LATEX.get(c, c) for c in _one_line(text))


def _latex_cell(text: str) -> str:
    """Return a cell's text; what begins like an option of the row end or rule before it is kept from being one."""
    return ("{}" if text.lstrip()[:1] in ("[", "*") else "") + escape_latex(text)


def escape_html(text: str) -> str:
    """Return text that HTML shows as it is, in attributes too."""
    return html_module.escape(_one_line(text), quote=True)


def markdown(tables: Sequence[Table]) -> str:
    """Return the tables as GitHub-flavoured Markdown."""
    lines = []
    for table in tables:
        lines += [f"**{escape_markdown(table.title)}**", ""]
        lines.append("| " + " | ".join(_heading(c) for c in table.columns) + " |")
        lines.append("|" + "|".join("---" if c.kind == "text" else "---:" for c in table.columns) + "|")
        lines += [
            "| " + " | ".join(_markdown_cell(c, row[c.key]) for c in table.columns) + " |" for row in table.rows
        ]
        lines.append("")
        if table.notes:
            lines += [*(f"- {escape_markdown(note)}" for note in table.notes), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _heading(column: Column) -> str:
    """Return a column's title: a name from outside, or our own, whose brackets stay."""
    return escape_markdown(column.title).replace(r"\[95 %\]", "[95 %]")


def _markdown_cell(column: Column, cell: Value) -> str:
    """Return a cell; only text comes from outside, numbers are ours and keep their brackets."""
    text = shown(column.kind, cell)
    return escape_markdown(text) if isinstance(cell.value, str) else text


def latex(tables: Sequence[Table]) -> str:
    r"""Return the tables as LaTeX; the document needs `\usepackage{booktabs,textcomp}`."""
    lines = []
    for table in tables:
        align = "".join("l" if c.kind == "text" else "r" for c in table.columns)
        lines += [r"\begin{table*}", r"  \centering\small", f"  \\caption{{{escape_latex(table.title)}}}"]
        lines += [f"  \\begin{{tabular}}{{{align}}}", r"    \toprule"]
        lines.append("    " + " & ".join(_latex_cell(c.title) for c in table.columns) + r" \\")
        lines.append(r"    \midrule")
        lines += [
            "    " + " & ".join(_latex_cell(shown(c.kind, row[c.key])) for c in table.columns) + r" \\"
            for row in table.rows
        ]
        lines += [r"    \bottomrule", r"  \end{tabular}"]
        if table.notes:
            lines.append(r"  \par\smallskip\footnotesize " + " ".join(escape_latex(n) for n in table.notes))
        lines.append(r"\end{table*}")
    return "\n".join(lines) + "\n"


def html(tables: Sequence[Table]) -> str:
    """Return the tables as HTML fragments; `data-value` holds the number that a cell sorts by."""
    parts = []
    for table in tables:
        parts.append(f'<table data-name="{escape_html(table.name)}">')
        parts.append(f"<caption>{escape_html(table.title)}</caption><thead><tr>")
        parts += [
            f'<th scope="col" data-kind="{c.kind}" title="{escape_html(c.explanation)}">'
            f"{escape_html(c.title)}</th>"
            for c in table.columns
        ]
        parts.append("</tr></thead><tbody>")
        for row in table.rows:
            cells = []
            for number, c in enumerate(table.columns):
                value = row[c.key].value
                text = escape_html(shown(c.kind, row[c.key]))
                if number == 0:
                    cells.append(f'<th scope="row">{text}</th>')
                else:
                    sort = "" if value is None else escape_html(str(value))
                    cells.append(f'<td class="{c.kind}" data-value="{sort}">{text}</td>')
            parts.append(f"<tr>{''.join(cells)}</tr>")
        parts.append("</tbody></table>")
        if table.notes:
            parts.append("<ul>" + "".join(f"<li>{escape_html(n)}</li>" for n in table.notes) + "</ul>")
    return "\n".join(parts) + "\n"
