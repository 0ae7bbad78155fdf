"""Names out of foreign files on pages and terminals: shown as they are, and never read as markup."""

import io
import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console
from starlette.applications import Starlette
from starlette.testclient import TestClient
from typer.testing import CliRunner

from dashboard.serving.reports import create_app
from orchestration.cli.app import app
from orchestration.reports.report import Report, Section, page
from orchestration.runtime.metadata import Link, markdown_table, picture
from orchestration.settings import use_root
from orchestration.views.data import export_table, show_table
from orchestration.views.tables import PlainConsole
from orchestration.web.access import TokenDoor
from orchestration.web.webserver import behind_front
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake

EVIL = "</script><script>alert(1)</script>"


class Tags(HTMLParser):
    """Tags of a page and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.links, self.attributes = set[str](), list[str](), set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]


def test_the_index_of_reports_links_to_pages_whatever_they_are_called(tmp_path: Path) -> None:
    names = ("javascript:alert(1)", "x' onmouseover='alert(1)", "<script>alert(1)<", "50% & more?#1")
    for folder in (*(tmp_path / "drift" / name for name in names), tmp_path / "trace"):
        for name in names:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.html").write_text(f"page {name}")
    client = TestClient(behind_front(Starlette(), create_app(tmp_path), TokenDoor(3001, "t0k3n", "ann")), base_url="http://127.0.0.1:3001")
    client.headers["authorization"] = "Bearer t0k3n"
    shown = Tags(client.get("/reports/").text)
    assert "script" not in shown.tags
    assert "onmouseover" not in shown.attributes
    assert len(shown.links) == len(names) ** 2 + len(names)
    assert all(link.startswith("./") for link in shown.links)
    assert {client.get(f"/reports/{link}").text for link in shown.links} == {f"page {name}" for name in names}


def test_a_report_shows_tags_as_texts() -> None:
    shown = Tags(page(Report(EVIL, EVIL, [Section(EVIL, [EVIL, "b", "c"], [[EVIL, EVIL, 1]], EVIL, folded=True)])))
    assert "script" not in shown.tags


def test_a_cell_of_an_asset_page_is_no_markdown() -> None:
    rows = [(f"a|b\n|c| {EVIL}", "[x](javascript:alert(1))", "![x](http://evil.example)"), (Link("a]b", "/reports/x"), "`code` <b>", 1.5)]
    lines = markdown_table(["a", "b", "c"], rows).value.splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[2:] == [
        r"| a\|b \|c\| &lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; | \[x\](javascript:alert(1)) | \!\[x\](http://evil.example) |",
        r"| [a\]b](/reports/x) | \`code\` &lt;b&gt; | 1.500 |",
    ]
    assert picture("a](x) ![b", b"").value == r"![a\](x) \!\[b](data:image/png;base64,)"


def test_brackets_in_names_are_no_markup_of_the_terminal(tmp_path: Path) -> None:
    contract = CONTRACTS["silver/stores"]
    row = {**dict.fromkeys(contract.names), "store_id": "[/bold]", "region": "ohio", "name": "[red]", "format": "large"}
    Lake(str(tmp_path)).overwrite(contract.name, pa.Table.from_pylist([row], schema=contract.schema))
    done = CliRunner().invoke(app, ["data", "show", "silver/stores", "--root", str(tmp_path)], env={"COLUMNS": "300"})
    assert done.exit_code == 0, done.output
    assert "[/bold]" in done.output
    assert "[red]" in done.output


@pytest.mark.parametrize("sign", ["\u202e", "\u2066", "\u200f", "\u2028", "\x1b", "\x9b"])
def test_no_text_turns_or_moves_what_a_terminal_shows(sign: str) -> None:
    """A file called so read as another one, of another kind."""
    console = PlainConsole(file=io.StringIO(), width=80)
    console.print(f"gnp{sign}vsc.exe\nnext", markup=False, highlight=False)
    assert console.file.getvalue() == "gnp\N{REPLACEMENT CHARACTER}vsc.exe\nnext\n"


def test_rows_wider_than_the_terminal_are_shown_column_by_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns a table of twelve columns showed two letters a line."""
    monkeypatch.setenv("SHELFCAST_ROOT", str(tmp_path))
    contract = CONTRACTS["silver/stores"]
    row = {**dict.fromkeys(contract.names), "store_id": "S1", "region": "ohio", "name": "A rather long name of a store in Ohio", "format": "large"}
    Lake(str(tmp_path)).overwrite(contract.name, pa.Table.from_pylist([row], schema=contract.schema))
    shown = Console(width=80, file=io.StringIO())
    show_table(use_root(str(tmp_path)), contract.name, None, [], None, None, 20, shown)
    lines = shown.file.getvalue().splitlines()
    assert any(re.fullmatch(r"  name +A rather long name of a store in Ohio", line) for line in lines)


def test_who_asks_for_rows_that_are_not_there_is_told_which_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty table was shown for a year that nobody has data of."""
    monkeypatch.setenv("SHELFCAST_ROOT", str(tmp_path))
    contract = CONTRACTS["bronze/shipments"]
    seen = {"known_at": datetime(2024, 3, 1, tzinfo=UTC), "source_file": "a.csv", "source_hash": "0", "arrived_at": datetime(2024, 3, 1, tzinfo=UTC)}
    rows = [
        {**dict.fromkeys(contract.names), "region": "ohio", "store_id": "S1", "product_id": "A", "week": week, "units_shipped": 1, **seen}
        for week in (date(2024, 1, 1), date(2024, 2, 5))
    ]
    block = SliceBlock((Region("ohio"),), Week(date(2024, 1, 1)), Week(date(2024, 2, 5)))
    Lake(str(tmp_path)).replace(contract.name, block, pa.Table.from_pylist(rows, schema=contract.schema))
    told = "No rows of bronze/shipments are of what you asked for: it holds 2 of the weeks 2024-01-01 to 2024-02-05 in ohio."
    shown = Console(width=200, file=io.StringIO())
    show_table(use_root(str(tmp_path)), contract.name, None, [], "2031-01-06", None, 20, shown)
    export_table(use_root(str(tmp_path)), contract.name, tmp_path / "out.csv", [], "2031-01-06", None, shown)
    assert shown.file.getvalue().count(told) == 2
