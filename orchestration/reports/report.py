"""Reports made of titled tables, shown alike on the terminal, as an HTML page without any outside request, and on an asset page."""

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.runtime.metadata import markdown_table
from transforms.lake.remote.working_copy import push
from transforms.lake.tables import Lake
from transforms.whole_files import write_whole

_GOOD = {"yes", "met", "intact", "identical", "approved", "champion", "accepted"}
_BAD = {"no", "missing", "broken", "different", "rejected", "refused", "gone"}


@dataclass(frozen=True, slots=True)
class Section:
    """One table. `note` stands above it; `folded` tables are closed on the page, and cut to their first rows on the terminal."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A title, a sentence or two, tables."""

    title: str
    lead: str
    sections: Sequence[Section] = field(default_factory=tuple)


def show(report: Report, console: Console, most: int = 12) -> None:
    """Print the report; of folded tables `most` rows."""
    console.print(f"[bold]{escape(report.title)}[/]\n{escape(report.lead)}", highlight=False, soft_wrap=True)
    for section in report.sections:
        table = Table(title=escape(section.title), title_justify="left", title_style="bold", show_header=bool(section.columns))
        for number, column in enumerate(section.columns):
            table.add_column(column, overflow="fold", no_wrap=number == 0 and len(section.columns) > 2)
        shown = section.rows[:most] if section.folded else section.rows
        for row in shown:
            table.add_row(*(_styled(value) for value in row))
        console.print()
        if section.note:
            console.print(escape(section.note), highlight=False, soft_wrap=True)
        if section.rows:
            console.print(table)
        else:
            console.print(f"{escape(section.title)}: none")
        if len(shown) < len(section.rows):
            console.print(f"... and {len(section.rows) - len(shown):,} more rows (--page writes them all)", highlight=False)


def write_page(report: Report, lake: Lake, *parts: str) -> Path:
    """Write the report as one HTML file below the lake's reports."""
    return write_html(page(report), lake, *parts)


def write_html(text: str, lake: Lake, *parts: str) -> Path:
    """Write a file below the lake's reports, in one step."""
    path = lake.path("reports", *parts)
    write_whole(path, text)
    push(lake, path)
    return path


def page(report: Report) -> str:
    """The report as HTML."""
    body = "".join(_section(section) for section in report.sections)
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{html.escape(report.title)}</title>"
        f"<style>{_CSS}</style><main><h1>{html.escape(report.title)}</h1><p class='lead'>{html.escape(report.lead)}</p>{body}</main></html>"
    )


def metadata(report: Report, most: int = 60) -> dict[str, dg.MarkdownMetadataValue]:
    """The report's tables for an asset page."""
    return {section.title.lower().replace(" ", "_"): markdown_table(list(section.columns), section.rows[:most]) for section in report.sections}


def _section(section: Section) -> str:
    # A table of numbers lines them up on the right; one of facts, whose values are of all kinds, on the left.
    numeric = len(section.columns) > 2
    head = "".join(
        f"<th{_NUMBER if numeric and any(_is_number(row[place]) for row in section.rows) else ''}>{html.escape(column)}</th>"
        for place, column in enumerate(section.columns)
    )
    rows = "".join(f"<tr>{''.join(_cell(value, numeric) for value in row)}</tr>" for row in section.rows)
    note = f"<p class='note'>{html.escape(section.note)}</p>" if section.note else ""
    table = (
        f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>" if section.rows else "<p class='note'>None.</p>"
    )
    if section.folded:
        return (
            f"<section><details><summary><h2>{html.escape(section.title)}</h2><span>{len(section.rows):,} rows</span></summary>"
            f"{note}{table}</details></section>"
        )
    return f"<section><h2>{html.escape(section.title)}</h2>{note}{table}</section>"


def _cell(value: Any, numeric: bool) -> str:
    text = _text(value)
    state = "good" if text in _GOOD else "bad" if text in _BAD else ""
    inner = f"<b class='{state}'>{html.escape(text)}</b>" if state else html.escape(text)
    return f"<td{_NUMBER if numeric and _is_number(value) else ''}>{inner}</td>"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _styled(value: Any) -> str:
    text = escape(_text(value))
    return f"[green]{text}[/]" if text in _GOOD else f"[red]{text}[/]" if text in _BAD else text


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def plain(console: Console) -> Callable[[str], None]:
    """A voice that prints lines as they are: names in them are no markup."""
    return lambda line: console.print(line, markup=False)


def report_url(base: str, page: str) -> str:
    """Address of a page below the reports' address, whatever its name holds."""
    return f"{base.rstrip('/')}/{quote(page)}"


def lines(values: Iterable[Any]) -> str:
    """Several values in one cell."""
    return ", ".join(str(value) for value in values) or "-"


_NUMBER = " class='number'"
_CSS = """
:root{--ink:#1d2733;--dim:#62707f;--line:#e3e8ee;--good:#0b7a4b;--bad:#b3261e}
*{box-sizing:border-box}
body{margin:0;background:#f5f7f9;color:var(--ink);
  font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1240px;margin:0 auto;padding:40px 28px 64px}h1{font-size:26px;margin:0 0 4px;letter-spacing:-.01em}
.lead{color:var(--dim);margin:0 0 28px;font-size:15px;max-width:80ch}
section{background:#fff;border:1px solid var(--line);border-radius:10px;padding:18px 22px;margin:0 0 18px}
h2{font-size:16px;margin:0;display:inline}section>h2{display:block;margin-bottom:8px}.note{color:var(--dim);margin:4px 0 10px;max-width:100ch}
summary{cursor:pointer}summary span{color:var(--dim);margin-left:10px}.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;font-size:12px;font-weight:600;color:var(--dim);padding:6px 14px 6px 0;border-bottom:1px solid var(--line);white-space:nowrap}
td{padding:6px 14px 6px 0;border-bottom:1px solid #f0f3f6;vertical-align:top;overflow-wrap:anywhere;min-width:84px}
tr:last-child td{border-bottom:0}td:first-child{white-space:nowrap}th.number,td.number{text-align:right;padding-right:22px}
b.good{color:var(--good)}b.bad{color:var(--bad)}
"""
