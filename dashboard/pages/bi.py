"""Data for other tools: how do I get these numbers into mine? For whoever builds on the gold tables; what they mean stands in their contracts."""

from collections.abc import Callable, Sequence
from datetime import date, datetime

import streamlit as st

from dashboard.parts.numbers import MISSING, Numbers, dated
from dashboard.parts.selection import pick
from dashboard.parts.states import empty, lead
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View, address, current
from dashboard.parts.words import counted, plain, region_name
from transforms.calendar import ALL_REGIONS
from transforms.contracts import odcs
from transforms.exports.catalogue import GoldTable, gold_tables
from transforms.exports.snippets import PROGRAMS, WEEKS, Wanted, export_command, newest_weeks, statement

_FIRST = "gold/forecasts"
_COLUMNS = (
    Column("name", "Table", phone=True),
    Column("grain", "One row per"),
    Column("key", "Key", "Columns that no two rows have alike"),
    Column("rows", "Rows", number=True, phone=True),
    Column("newest", "Newest", "Newest week, or time of the newest record", phone=True),
    Column("version", "Version", "Version of the Delta table: one more with each write", number=True),
    Column("size", "Size", "Files of the present version", number=True),
)
_NOT_PLAIN_FILES = (
    "Do not point a Parquet or folder connector at the table's own folder: files of earlier versions lie there too, whose rows would be counted "
    "again."
)
_ODBC = (
    "Install [DuckDB's ODBC driver](https://duckdb.org/docs/stable/clients/odbc/overview) on the Windows machine, from which the address in the "
    "statement has to be reached."
)


def show() -> None:
    """Draw the page."""
    view = current()
    tables = gold_tables(view.lake)
    written = [table for table in tables if table.version is not None]
    if not written:
        lead("<b>0</b> tables to open: nothing was written to this lake yet.")
        empty("There are no gold tables yet.", "`shelfcast run` makes them once deliveries have landed.")
        return
    lead(_answer(view.numbers, tables, written))
    by_name = {table.contract.name: table for table in [*written, *(table for table in tables if table.version is None)]}
    places = st.columns(3)
    with places[0]:
        table = by_name[pick("Table", "table", list(by_name), default=_FIRST)]
    with places[1]:
        program = pick("Program", "program", [*PROGRAMS, *_OFFICE], default=next(iter(PROGRAMS)))
    with places[2]:
        regions = _regions(table, written)
        region = pick("Region", "region", regions, default=regions[0], words=region_name) if regions else ""
    _show_way(view, table, program, region)
    _show_contract(view, table)
    st.subheader("All tables", anchor=False)
    st.caption(f"Each lies below {plain(view.lake.address('lake'))}/ in a folder of its name. A click on a table shows how it is opened.")
    show_table("tables", "Gold tables", _COLUMNS, [_line(view.numbers, one, program, region) for one in by_name.values()], empty="")


def _answer(numbers: Numbers, tables: Sequence[GoldTable], written: Sequence[GoldTable]) -> str:
    weeks = [table.newest_week for table in written if table.newest_week]
    until = f", up to the week of {dated(max(weeks))}" if weeks else ""
    size = _size(numbers, sum(table.size for table in written))
    return (
        f"<b>{len(written)} of {len(tables)}</b> gold tables hold data, {size}{until}. Any program that reads Delta Lake opens them where they lie."
    )


def _regions(table: GoldTable, written: Sequence[GoldTable]) -> list[str]:
    """The regions to choose from: those of the table, or any where its log does not tell; what was made of all of them together is none."""
    if "region" not in table.contract.names:
        return []
    return sorted({region for one in ([table] if table.regions else written) for region in one.regions} - {ALL_REGIONS})


def _show_way(view: View, table: GoldTable, program: str, region: str) -> None:
    """How the program opens the table."""
    st.subheader(f"{table.contract.name} in {program}", anchor=False)
    if table.version is None:
        empty(f"{table.contract.name} was not written yet.", "What runs and people do writes it; its data contract is there already.")
        return
    chosen = newest_weeks(view.lake, table, region)
    st.caption(_told(chosen))
    if program in _OFFICE:
        _OFFICE[program](chosen)
        return
    snippet = PROGRAMS[program](chosen)
    _show_code(f"pip install {snippet.packages}")
    _show_code(snippet.code)


def _told(chosen: Wanted) -> str:
    of = f" of {plain(region_name(chosen.of_region))}" if chosen.of_region else ""
    what = f"The newest {WEEKS} weeks{of}; files of others are not opened." if chosen.from_week else f"All rows{of}."
    if chosen.in_store:
        return f"{what} Keys come from the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, of somebody who may read the bucket."
    return f"{what} The folder is one of the machine that serves this page: elsewhere put the path of the share under which it is seen."


def _show_contract(view: View, table: GoldTable) -> None:
    contract = table.contract
    st.subheader("What it holds", anchor=False)
    holds = f", {counted(view.numbers, table.rows or 0, 'row')}, version {view.numbers.whole(table.version)}" if table.version is not None else ""
    st.markdown(
        f"{plain(contract.grain)}  \nKey: {plain(', '.join(contract.key))}. {counted(view.numbers, len(contract.columns), 'column')}{holds}."
        f"  \nAddress: {plain(table.address)}"
    )
    endpoint = view.lake.storage_options.get("AWS_ENDPOINT_URL", "")
    st.download_button(
        "Download its data contract (ODCS)",
        odcs.document(contract, table.address, endpoint),
        f"{contract.table}.odcs.yaml",
        "application/yaml",
        key=f"contract_{contract.table}",
        help=f"Columns with types, units, bounds and meaning, as the Open Data Contract Standard {odcs.STANDARD} writes them: for data catalogues.",
    )


def _power_bi(chosen: Wanted) -> None:
    st.markdown("**From a file.** Export the rows, on a schedule if need be; then *Get data*, *Parquet*, and the file.")
    _show_code(export_command(chosen, "parquet"))
    st.markdown(f"**From the lake.** {_ODBC} Then *Get data*, *ODBC*, the data source DuckDB, and under *Advanced options* the statement:")
    _show_statement(chosen)
    st.markdown("**By Python**, where Power BI Desktop has one: *Get data*, *Python script*, with the lines that this page shows for pandas.")
    st.caption(
        f"{_NOT_PLAIN_FILES} Power BI's own Delta functions are made for Azure storage and Fabric. These steps follow the documentation of both "
        "programs; they were not tried, since Power BI does not run where Shelfcast is tested. The statement and the command were."
    )


def _excel(chosen: Wanted) -> None:
    st.markdown(f"**The plan** is a workbook already: [Orders]({address('orders')}) and `shelfcast plan` write it.")
    st.markdown("**From a file.** Export the rows; then *Data*, *Get Data*, *From File*, *From Text/CSV*. A sheet takes 1,048,576 rows.")
    _show_code(export_command(chosen, "csv"))
    st.markdown(f"**From the lake.** {_ODBC} Then *Data*, *Get Data*, *From Other Sources*, *From ODBC*, and under *Advanced options* the statement:")
    _show_statement(chosen)
    st.caption(
        f"{_NOT_PLAIN_FILES} These steps follow the documentation of both programs; they were not tried, since Excel does not run where Shelfcast is "
        "tested. The statement and the command were."
    )


_OFFICE: dict[str, Callable[[Wanted], None]] = {"Power BI": _power_bi, "Excel": _excel}


def _show_statement(chosen: Wanted) -> None:
    _show_code(statement(chosen))
    if chosen.in_store:
        st.caption("DuckDB keeps the keys of the object store by `create persistent secret`, made once by the same user of that machine.")


def _show_code(text: str) -> None:
    # Without a language: the colours that Streamlit gives to code have too little contrast.
    st.code(text, language=None, wrap_lines=True)


def _line(numbers: Numbers, table: GoldTable, program: str, region: str) -> Line:
    contract = table.contract
    selection = {"table": contract.name, "program": program} | ({"region": region} if region else {})
    there = table.version is not None
    return Line(
        contract.name,
        {
            "name": Cell(contract.name, small="" if there else "not written yet"),
            "grain": Cell(contract.grain.removeprefix("One row per ").removesuffix(".")),
            "key": Cell(", ".join(contract.key)),
            "rows": Cell(numbers.whole(table.rows), table.rows),
            "newest": _newest(table.newest),
            "version": Cell(numbers.whole(table.version), table.version),
            "size": Cell(_size(numbers, table.size) if there else MISSING, table.size if there else None),
        },
        href=address("bi", **selection),
        tone="" if there else "quiet",
    )


def _newest(value: date | datetime | None) -> Cell:
    if value is None:
        return Cell(MISSING)
    text = dated(value.date() if isinstance(value, datetime) else value)
    return Cell(text.replace(" ", "\N{NO-BREAK SPACE}"), value.isoformat())


def _size(numbers: Numbers, size: int) -> str:
    """Bytes as people say them."""
    return f"{numbers.three(size / 1e6)} MB" if size >= 1_000_000 else f"{numbers.three(size / 1e3)} kB"
