"""Sources that are queries or stand in a store, from the command line and from Dagster: fetched by themselves, told when they cannot be."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import obstore
import pytest
from obstore.store import S3Store
from rich.console import Console
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.cli.session import fetch_into_landing
from orchestration.defs.landing import fetch_job, fetch_schedule
from orchestration.project import Project
from orchestration.settings import Settings
from tests.orchestration.lakes import LakeAt
from transforms.lake.tables import Lake

SECRET = "c4n4ry-p4ss"
Sql = Callable[..., None]


@pytest.fixture
def asked(shop: Path) -> Path:
    """The small provider's YAML, with shipments as a query."""
    path = shop / "asked.yaml"
    query = (
        '    - files: erp/shipments.parquet\n      format: parquet\n      database: ERP\n      query: "select id, sku, week, units from shipments"\n'
    )
    path.write_text((shop / "corner_shop.yaml").read_text().replace('    - files: "shipments/*.csv"\n      format: csv\n', query))
    return path


@pytest.fixture
def root(tmp_path: Path, asked: Path) -> Path:
    """A lake root of that provider in which nothing was fetched yet."""
    root = tmp_path / "root"
    root.mkdir()
    Project(provider=str(asked)).save(root)
    return root


def shelfcast(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "1000"})
    return done.exit_code, done.output


@pytest.fixture
def shipments(sql: Sql) -> None:
    sql(
        "create table shipments (id integer, sku text, week date, units integer)",
        "insert into shipments values (1, 'A', '2022-05-02', 12), (2, 'B', '2022-05-09', 24)",
    )


def test_init_and_run_fetch_by_themselves(
    asked: Path, shop: Path, tmp_path: Path, postgresql: str, shipments: None, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERP", postgresql)
    root = str(tmp_path / "root")
    code, output = shelfcast("init", "--provider", str(asked), "--landing", str(shop), "--root", root, "--local")
    assert code == 0, output
    lake = Lake(root)
    assert lake.read("gold/demand", columns="sum(units_shipped) as n")["n"].to_pylist() == [36]
    assert all(SECRET.encode() not in path.read_bytes() for path in Path(root).rglob("*") if path.is_file())
    sql("update shipments set units = 18 where id = 1")
    monkeypatch.setenv("ERP", postgresql.replace(SECRET, "wr0ng"))
    code, output = shelfcast("run", "--week", "2022-05-02", "--root", root, "--local")
    # What was fetched before goes on being used.
    assert code == 1
    assert "erp/shipments.parquet stayed as fetched before: no connection to the database in ERP" in output
    assert lake.read("gold/demand", columns="sum(units_shipped) as n")["n"].to_pylist() == [36]


def test_fetch_tells_what_it_wrote(root: Path, postgresql: str, shipments: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{postgresql}\n")
    monkeypatch.setenv("ERP_FILE", str(secret))
    for told in ("1 files written, 0 as they were", "0 files written, 1 as they were"):
        shown = io.StringIO()
        assert fetch_into_landing(Settings(root=str(root)), Console(file=shown, width=1000)) == []
        assert told in shown.getvalue()


def test_a_database_without_an_address_is_told(root: Path) -> None:
    code, output = shelfcast("fetch", "--root", str(root))
    assert code == 1
    assert "erp/shipments.parquet stayed as fetched before: the variable ERP is not set: expected the address of a database" in output


def test_a_provider_of_files_alone_has_nothing_to_fetch(shop: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    Project(provider=str(shop / "corner_shop.yaml")).save(root)
    code, output = shelfcast("fetch", "--root", str(root))
    assert code == 1
    assert "Provider 'corner_shop' has no source that is a query or comes from a store" in output
    assert isinstance(fetch_schedule(dg.build_schedule_context(resources={"lake": LakeAt(root=str(root))})), dg.SkipReason)


def test_the_nightly_fetch_fails_for_what_it_could_not_fetch(root: Path, postgresql: str, shipments: None, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = LakeAt(root=str(root))
    assert isinstance(fetch_schedule(dg.build_schedule_context(resources={"lake": lake})), dg.RunRequest)
    assert not fetch_job.execute_in_process(resources={"lake": lake}, raise_on_error=False).success
    monkeypatch.setenv("ERP", postgresql)
    assert fetch_job.execute_in_process(resources={"lake": lake}).success
    assert (root / "landing/corner_shop/erp/shipments.parquet").exists()


@pytest.fixture
def stored(shop: Path, bucket: S3Store) -> Path:
    """The small provider's YAML, with all its files in a bucket."""
    for path in shop.rglob("*.csv"):
        obstore.put(bucket, f"drops/{path.relative_to(shop).as_posix()}", path.read_bytes())
    path = shop / "stored.yaml"
    path.write_text((shop / "corner_shop.yaml").read_text().replace("sources:\n", f"store: s3://{bucket.config['bucket']}/drops\nsources:\n", 1))
    return path


def test_a_lake_begins_with_what_a_store_holds_and_goes_on_when_it_is_away(
    stored: Path, bucket: S3Store, s3_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{s3_server.secret}\n")
    for name, value in {**s3_server.environment, "AWS_SECRET_ACCESS_KEY_FILE": str(secret)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    root = str(tmp_path / "root")
    code, output = shelfcast("init", "--provider", str(stored), "--root", root, "--local")
    assert code == 0, output
    lake = Lake(root)
    assert lake.read("gold/demand", columns="sum(units_shipped) as n")["n"].to_pylist() == [72]
    assert all(s3_server.secret.encode() not in path.read_bytes() for path in Path(root).rglob("*") if path.is_file())
    shown = io.StringIO()
    obstore.delete(bucket, ["drops/shipments/2022-05-02.csv"])
    assert fetch_into_landing(Settings(root=root), Console(file=shown, width=1000)) == []
    assert "shipments/2022-05-02.csv: no longer in s3://" in shown.getvalue()
    assert "0 files written, 7 as they were; 'shelfcast run' takes them in." in shown.getvalue()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    code, output = shelfcast("run", "--week", "2022-05-02", "--root", root, "--local")
    assert code == 1
    assert "expected an address like https://storage.example.com:9000 in AWS_ENDPOINT_URL, came another text." in output
    assert lake.read("gold/demand", columns="sum(units_shipped) as n")["n"].to_pylist() == [72]


def test_a_store_is_fetched_every_night(stored: Path, s3_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    Project(provider=str(stored)).save(tmp_path)
    lake = LakeAt(root=str(tmp_path))
    assert isinstance(fetch_schedule(dg.build_schedule_context(resources={"lake": lake})), dg.RunRequest)
    assert fetch_job.execute_in_process(resources={"lake": lake}).success
    assert (tmp_path / "landing/corner_shop/shipments/2022-05-02.csv").exists()


def test_a_check_says_what_comes_from_elsewhere_and_a_draft_asks_for_a_folder(stored: Path, shop: Path, tmp_path: Path) -> None:
    for path in (shop / "shipments").iterdir():
        path.unlink()
    code, output = shelfcast("provider", "check", str(stored), "--landing", str(shop))
    assert code == 0, output
    assert "not here shipments: 'shelfcast fetch' has it from s3://" in output
    for command in (["draft", "s3://bucket/drops", "--to", str(tmp_path / "x.yaml")], ["check", str(stored), "--landing", "s3://bucket/drops"]):
        code, output = shelfcast("provider", *command)
        assert code == 1
        assert "Expected a folder with files of the provider, came the object store s3://bucket/drops. Copy a few objects" in output
