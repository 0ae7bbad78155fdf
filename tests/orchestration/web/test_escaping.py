"""Names out of foreign files, drawn at random from what does harm: in each file, page and line that they can reach they are texts."""

import csv
import io
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.markup import escape

from orchestration.reports.report import Report, Section, page, show
from orchestration.runtime.metadata import markdown_table
from orchestration.views.tables import PlainConsole, narrow_table
from transforms.calendar import Region, Week
from transforms.contracts import CONTRACTS
from transforms.exports.store_plans import StorePlan
from transforms.exports.tables import export
from transforms.exports.workbook import write_csv, write_workbook
from transforms.lake.tables import Lake

BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "", " ")
MIDDLES = (
    "cmd|'/c calc'!A1",
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=alert(1)>",
    "'\" onmouseover='alert(1)",
    "[x](javascript:alert(1))",
    "![x](http://evil.example)",
    "a|b\n|c",
    "[/bold][red]",
    "[link=http://evil.example]x[/link]",
    "\x1b]0;title\x07\x1b[31m",
    "\x9b2J",
    "&amp;{{7*7}}",
    'HYPERLINK("http://evil.example")',
    "../../etc/passwd",
)
NAMES = st.builds(
    "{}{}{}".format, st.sampled_from(BEGINNINGS), st.sampled_from(MIDDLES), st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
)
FORMULA = tuple(beginning for beginning in BEGINNINGS if beginning.strip(" "))


class Tags(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.attributes = set[str](), set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def plan(name: str) -> StorePlan:
    row = {
        "product_id": name, "product_name": name, "category": name, "packs": 1, "case_pack": 6, "units": 6, "planned_units": 6, "expected": 5.0, "q10": 1.0,
        "q90": 9.0, "service_level": 0.9, "expected_returns": 0.0, "expected_lost_sales": 0.0, "rung": name,
    }  # fmt: skip
    week = Week.parse("2024-06-10")
    return StorePlan(Region("ohio"), name, name, week, week + -1, pa.Table.from_pylist([row]))


@settings(max_examples=60, deadline=None)
@given(NAMES)
def test_a_name_is_no_formula_in_any_file_for_spreadsheets(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        [written] = write_csv([plan(name)], place)
        assert written.parent == place
        rows = list(csv.reader(io.StringIO(written.read_bytes().decode(), newline="")))
        assert not [cell for cell in rows[1] if cell.startswith(FORMULA)]
        write_workbook([plan(name)], place / "plan.xlsx")
        book = openpyxl.load_workbook(place / "plan.xlsx")
        formulas = [str(cell.value) for sheet in book for line in sheet.iter_rows() for cell in line if cell.data_type == "f"]
        assert all(formula.startswith(("=SUM(", "='", "=D", "=E")) for formula in formulas)
        links = [cell.hyperlink for sheet in book for line in sheet.iter_rows() for cell in line if cell.hyperlink]
        assert all(link.target is None for link in links)


@settings(max_examples=15, deadline=None)
@given(NAMES)
def test_a_name_in_an_exported_table_is_no_formula(name: str) -> None:
    contract = CONTRACTS["silver/stores"]
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        row = {**dict.fromkeys(contract.names), "store_id": "S1", "region": "ohio", "name": name, "format": "large"}
        lake.overwrite(contract.name, pa.Table.from_pylist([row], schema=contract.schema))
        target = Path(folder) / "stores.csv"
        export(lake, contract.name, "true", target)
        rows = list(csv.reader(io.StringIO(target.read_bytes().decode(), newline="")))
        assert not [cell for cell in rows[1] if cell.startswith(FORMULA)]


@settings(max_examples=200, deadline=None)
@given(NAMES)
def test_a_name_is_no_markup_on_pages(name: str) -> None:
    report = Report(name, name, [Section(name, [name, "b", "c"], [[name, name, 1]], name, folded=True), Section(name, ["a", name], [], name)])
    plain = Tags(page(Report("x", "x", [Section("x", ["x", "b", "c"], [["x", "x", 1]], "x", folded=True), Section("x", ["a", "x"], [], "x")])))
    shown = Tags(page(report))
    assert (shown.tags, shown.attributes) == (plain.tags, plain.attributes)
    lines = markdown_table(["a", "b"], [[name, name]]).value.split("\n")
    assert len(lines) == 3
    assert "<" not in lines[2]
    assert "](" not in lines[2].replace("\\]", "").replace("\\[", "")


@settings(max_examples=200, deadline=None)
@given(NAMES)
def test_a_name_moves_no_cursor_and_colours_nothing_on_a_terminal(name: str) -> None:
    """A store's name could write the window's title, and clear what was printed before."""

    def printed(text: str) -> str:
        shown = PlainConsole(file=io.StringIO(), width=200, force_terminal=True, color_system="truecolor")
        show(Report(text, text, [Section(text, ["a", "b", "c"], [[text, text, 1]], text)]), shown)
        table = narrow_table("table", {"a": 10})
        table.add_row(escape(text))
        shown.print(table)
        shown.print(text, markup=False, highlight=False)
        return shown.file.getvalue()  # type: ignore[attr-defined]

    sequences = {part.split("m")[0] for part in printed("plain").split("\x1b")[1:]}
    assert {part.split("m")[0] for part in printed(name).split("\x1b")[1:]} <= sequences
    assert not set("\x07\x9b\x08\x0c\x7f") & set(printed(name))
