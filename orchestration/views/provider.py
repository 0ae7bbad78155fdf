"""Tables for the terminal: what a provider file makes of a folder of files."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from transforms.drafting import Check, FileOutcome

_MOST_FILES = 40
_MOST_NAMES = 20
_COUNTS = ("records", "aside", "taken", "repeated", "skipped", "quarantined")


def show_check(check: Check, console: Console) -> None:
    """What each file would give, what would be refused or left aside, and what looks odd."""
    _show_files(check.files, console)
    _show_rows(check, console)
    for outcome in check.files:
        if outcome.message and outcome.status == "accepted":
            _say(console, f"[yellow]noticed[/] {escape(outcome.source)}: {escape(outcome.name)}: {escape(outcome.message)}")
    for rule in check.rules:
        _say(console, f"[yellow]quarantine[/] {escape(rule.source)}, {rule.rows:,} rows, {escape(rule.rule)}:")
        for message in rule.examples:
            _say(console, f"  {escape(message)}")
    for sentence in check.remarks:
        _say(console, f"[yellow]look at[/] {escape(sentence)}")
    _show_aside(check, console)
    for outcome in check.refused:
        _say(console, f"[red]{outcome.status}[/] {escape(outcome.source)}: {escape(outcome.message or outcome.name)}")
    for source, patterns in check.absent.items():
        _say(console, f"[red]no file[/] {escape(source)}: none is found by {escape(patterns)}")
    for source, origin in check.fetched.items():
        _say(
            console, f"[yellow]not here[/] {escape(source)}: 'shelfcast fetch' has it from {escape(origin)}; put some of its files here to check them"
        )
    verdict = "[green]Every file would be taken in.[/]" if check.passes else "[bold red]Not everything would be taken in.[/]"
    _say(console, f"{verdict} Nothing was written.")


def _show_files(files: Sequence[FileOutcome], console: Console) -> None:
    table = Table(title="What each file would give")
    table.add_column("source", no_wrap=True)
    table.add_column("file", overflow="fold")
    for name in _COUNTS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    for source, of_source in groupby(files, key=lambda file: file.source):
        outcomes = list(of_source)
        for file in outcomes[:_MOST_FILES]:
            table.add_row(escape(source), escape(file.name), *(f"{getattr(file, name):,}" for name in _COUNTS), _outcome(file))
        if rest := outcomes[_MOST_FILES:]:
            sums = (f"{sum(getattr(file, name) for file in rest):,}" for name in _COUNTS)
            table.add_row(escape(source), f"{len(rest)} more files", *sums, f"{sum(file.status == 'accepted' for file in rest)} accepted")
    console.print(table)


def _outcome(file: FileOutcome) -> str:
    return "accepted" if file.status == "accepted" else f"[red]{file.status}[/]"


def _show_rows(check: Check, console: Console) -> None:
    for source, rows in check.first_rows.items():
        if not rows:
            continue
        table = Table(title=f"First rows of {source}, as mapped")
        for name in rows[0]:
            table.add_column(escape(name), overflow="fold")
        for row in rows:
            table.add_row(*("" if value is None else escape(str(value)) for value in row.values()))
        console.print(table)


def _show_aside(check: Check, console: Console) -> None:
    for columns, names in _unmapped(check.files).items():
        more = f" and {len(names) - 1} more files" if len(names) > 1 else ""
        _say(console, f"[dim]not mapped[/] {escape(names[0])}{more}: {escape(', '.join(columns))}")
    if check.unmatched:
        more = f" and {len(check.unmatched) - _MOST_NAMES} more" if len(check.unmatched) > _MOST_NAMES else ""
        _say(console, f"[dim]left aside[/] no pattern finds {escape(', '.join(map(str, check.unmatched[:_MOST_NAMES])))}{more}")


def _unmapped(files: Sequence[FileOutcome]) -> dict[tuple[str, ...], list[str]]:
    """Columns that no source takes from the files that it reads, with those files."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(file.name for file in files):
        readings = [file.unmapped for file in files if file.name == name and file.status == "accepted"]
        if left := tuple(column for column in (readings[0] if readings else ()) if all(column in reading for reading in readings)):
            found.setdefault(left, []).append(name)
    return found


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)
