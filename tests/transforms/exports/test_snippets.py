"""Incidents around code that other programs open the lake with: it does not run, opens what nobody asked for, or says a secret."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import obstore
import pytest
from duckdb_extensions import import_extension
from obstore.store import S3Store
from typer.testing import CliRunner

from benchmarks.servers import S3Server
from orchestration.cli.app import app
from tests.dashboard.lakes import put
from transforms.contracts import CONTRACTS, GOLD
from transforms.contracts.gold import FORECASTS
from transforms.exports.catalogue import GoldTable, gold_table, gold_tables
from transforms.exports.snippets import PROGRAMS, Wanted, export_command, newest_weeks, statement
from transforms.lake.database import literal, own_database
from transforms.lake.tables import Lake
from transforms.stores import STATE

WEEKS = date(2024, 6, 17), date(2024, 6, 24)
RUN_HERE = [name for name in PROGRAMS if name != "Spark"]


Run = Callable[[str], Any]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with DuckDB's extensions, which it fetches from a site elsewhere; here they come as packages."""
    folder = tmp_path_factory.mktemp("home")
    with own_database() as connection:
        connection.execute(f"set home_directory = {literal(str(folder))}")
        for name in ("delta", "httpfs"):
            import_extension(name, con=connection)
    return folder


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a snippet and gives the rows that it leaves."""

    def rows(code: str) -> Any:
        scope: dict[str, Any] = {}
        exec(code, scope)
        return scope["rows"]

    monkeypatch.setenv("HOME", str(home))
    return rows


@pytest.fixture(scope="module")
def two_regions(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two regions, each week in files of its own, in a folder whose name is awkward."""
    lake = Lake(str(tmp_path_factory.mktemp('two\'s "lake"')))
    for week in WEEKS:
        for region in ("ohio", "utah"):
            put(lake, FORECASTS.name, {"region": region, "origin_week": week, "target_week": week, "store_id": f"{region} {week}"})
    return lake


@pytest.mark.parametrize("program", RUN_HERE)
def test_a_snippet_finds_the_rows_of_its_region_and_weeks(two_regions: Lake, program: str, run: Run) -> None:
    wanted = Wanted(FORECASTS, two_regions.uri(FORECASTS.name), "utah", WEEKS[1])
    rows = run(PROGRAMS[program](wanted).code)
    assert list(rows["store_id"]) == [f"utah {WEEKS[1]}"]
    assert set(rows.columns) == set(FORECASTS.names)


@pytest.mark.parametrize("program", RUN_HERE)
def test_files_of_other_regions_and_weeks_are_not_opened(program: str, run: Run, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    for week in WEEKS:
        for region in ("ohio", "utah"):
            put(lake, FORECASTS.name, {"region": region, "origin_week": week, "target_week": week})
    for name in lake.files(FORECASTS.name):
        if "utah" not in name or name not in newest_files(lake):
            Path(name).unlink()
    assert len(run(PROGRAMS[program](Wanted(FORECASTS, lake.uri(FORECASTS.name), "utah", WEEKS[1])).code)) == 1


def newest_files(lake: Lake) -> set[str]:
    """Files with the newest week."""
    told = lake.data_files(FORECASTS.name).to_pylist()
    folder = Path(lake.uri(FORECASTS.name))
    return {str(folder / row["path"]) for row in told if row["max.origin_week"] == WEEKS[1]}


@pytest.mark.parametrize("program", RUN_HERE)
def test_every_gold_table_of_a_real_lake_is_opened_as_the_page_shows(small_lake: Path, program: str, run: Run) -> None:
    lake = Lake(str(small_lake))
    opened = []
    for table in gold_tables(lake):
        if table.version is not None:
            rows = run(PROGRAMS[program](Wanted(table.contract, table.address, "north_texas", table.newest_week)).code)
            where = f"{table.contract.week_column} >= date '{table.newest_week}'" if table.newest_week else "true"
            assert len(rows) == lake.read(table.contract.name, where).num_rows, table.contract.name
            opened.append(table.contract.name)
    assert {"gold/forecasts", "gold/order_plan_final", "gold/model_versions", "gold/audit_heads"} <= set(opened)


@pytest.mark.parametrize("program", RUN_HERE)
def test_a_lake_in_an_object_store_is_opened_with_keys_of_the_environment(
    program: str, run: Run, two_regions: Lake, bucket: S3Store, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(two_regions.uri(FORECASTS.name))
    for path in folder.rglob("*"):
        if path.is_file():
            obstore.put(bucket, f"lake/gold/forecasts/{path.relative_to(folder)}", path.read_bytes())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, s3_server.environment[name])
    store = {"AWS_ENDPOINT_URL": s3_server.endpoint, "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
    address = f"s3://{bucket.config['bucket']}/lake/gold/forecasts"
    snippet = PROGRAMS[program](Wanted(FORECASTS, address, "utah", WEEKS[1], store))
    assert s3_server.secret not in snippet.code
    assert list(run(snippet.code)["store_id"]) == [f"utah {WEEKS[1]}"]


def test_what_opens_a_store_is_shown_without_its_keys() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "c4n4ry-key", "AWS_SECRET_ACCESS_KEY": "c4n4ry-secret", "AWS_SESSION_TOKEN": "c4n4ry-token"}
    lake = Lake("s3://bucket/company", {**keys, "AWS_ENDPOINT_URL": "https://store:8333", "AWS_REGION": "eu-west-1", STATE: "/home/c4n4ry"})
    table = GoldTable(FORECASTS, lake.address("lake", FORECASTS.name), version=1, newest=WEEKS[1])
    wanted = newest_weeks(lake, table, "utah")
    assert wanted.from_week == date(2024, 6, 3)
    for program in PROGRAMS.values():
        code = program(wanted).code
        assert "c4n4ry" not in code
        assert "store:8333" in code
        assert "/bucket/company/lake/gold/forecasts" in code


@pytest.mark.parametrize("address", ["/srv/lake/gold/forecasts", "s3://bucket/lake/gold/forecasts"])
def test_sparks_snippet_is_python(address: str) -> None:
    """It is not run: Spark needs Java."""
    store = {"AWS_ENDPOINT_URL": "https://store"} if "://" in address else {}
    for contract in GOLD:
        compile(PROGRAMS["Spark"](Wanted(contract, address, "utah", WEEKS[1], store)).code, "spark", "exec")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_command_that_exports_the_rows_is_one(small_lake: Path, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lake = Lake(str(small_lake))
    table = gold_table(lake, FORECASTS)
    command = export_command(Wanted(FORECASTS, table.address, "north_texas", table.newest_week), ending)
    done = CliRunner().invoke(app, [*command.split()[1:], "--root", str(small_lake)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / f"forecasts.{ending}").exists()


def test_a_table_without_regions_or_weeks_is_opened_whole() -> None:
    heads = CONTRACTS["gold/audit_heads"]
    assert statement(Wanted(heads, "/x", "utah", WEEKS[1])) == "select *\nfrom delta_scan('/x')"
    assert export_command(Wanted(heads, "/x", "utah", WEEKS[1]), "csv") == "shelfcast export gold/audit_heads --to audit_heads.csv"


def test_what_a_table_holds_is_told_by_its_log_alone(two_regions: Lake) -> None:
    table = gold_table(two_regions, FORECASTS)
    assert (table.rows, table.regions, table.newest_week) == (4, ("ohio", "utah"), WEEKS[1])
    assert table.size == sum(Path(name).stat().st_size for name in two_regions.files(FORECASTS.name))
    assert table.version == two_regions.version(FORECASTS.name)


def test_a_table_that_was_never_written_has_no_version_and_an_address(tmp_path: Path) -> None:
    tables = gold_tables(Lake(str(tmp_path)))
    assert len(tables) == len(GOLD)
    assert {(table.version, table.rows, table.newest) for table in tables} == {(None, None, None)}
    assert tables[0].address == str(tmp_path / "lake" / "gold" / "demand")
