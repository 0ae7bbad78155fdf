"""Incidents around the page for other tools: what it shows is not what was tested, or an address breaks it."""

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboard.lakes import put
from transforms.contracts.gold import FORECASTS
from transforms.exports.catalogue import gold_table
from transforms.exports.snippets import PROGRAMS, export_command, newest_weeks, statement
from transforms.lake.tables import Lake

Visit = Callable[..., AppTest]


@pytest.fixture
def visit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Visit:
    """Draws the page over the lake in this test's folder."""

    def page() -> None:
        from dashboard.pages import bi

        bi.show()

    def drawn(**selection: str) -> AppTest:
        app = AppTest.from_function(page, default_timeout=60)
        app.query_params.update(selection)
        app.run()
        assert not app.exception
        return app

    monkeypatch.setenv("SHELFCAST_ROOT", str(tmp_path))
    # AppTest puts the script there and leaves it: processes that later tests start would run it.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    return drawn


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with forecasts of two regions."""
    lake = Lake(str(tmp_path))
    for region in ("ohio", "utah"):
        put(lake, FORECASTS.name, {"region": region, "origin_week": date(2024, 6, 24)})
    return lake


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_lines_that_are_shown_are_those_that_tests_run(visit: Visit, lake: Lake, program: str) -> None:
    snippet = PROGRAMS[program](newest_weeks(lake, gold_table(lake, FORECASTS), "utah"))
    shown = visit(table=FORECASTS.name, program=program, region="utah")
    assert [one.value for one in shown.code] == [f"pip install {snippet.packages}", snippet.code]


@pytest.mark.parametrize(("program", "ending"), [("Power BI", "parquet"), ("Excel", "csv")])
def test_office_programs_are_given_the_command_and_the_statement_that_tests_run(visit: Visit, lake: Lake, program: str, ending: str) -> None:
    wanted = newest_weeks(lake, gold_table(lake, FORECASTS), "ohio")
    assert [one.value for one in visit(program=program).code] == [export_command(wanted, ending), statement(wanted)]


def test_an_address_that_names_nothing_there_is_shows_the_first_of_each(visit: Visit, lake: Lake) -> None:
    wanted = newest_weeks(lake, gold_table(lake, FORECASTS), "ohio")
    shown = visit(table="gold/<b>", program="Lotus", region="atlantis")
    assert shown.code[-1].value == PROGRAMS["DuckDB"](wanted).code


def test_a_table_that_was_not_written_yet_has_its_contract_and_no_lines_to_copy(visit: Visit, lake: Lake) -> None:
    shown = visit(table="gold/overrides")
    assert len(shown.code) == 0
    assert "gold/overrides was not written yet" in shown.info[0].value
    assert "Key: region" in "".join(one.value for one in shown.markdown)


def test_an_empty_lake_says_what_brings_its_tables(visit: Visit) -> None:
    assert "`shelfcast run` makes them" in visit().info[0].value
