"""A store that is slow, answers 500 or hangs up: waited for where that helps, else told in a sentence; the same thing done again does it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from obstore.store import S3Store

from orchestration.cli.failures import explained
from orchestration.settings import settings_of
from tests.transforms.lake.test_store_tables import REGIONS, WEEK, demand
from transforms.calendar import SliceBlock
from transforms.lake.database import own_database
from transforms.lake.remote.working_copy import pulled, push
from transforms.lake.tables import Lake
from transforms.stores import objects

TABLE = "gold/demand"
# In a process of its own: some of deltalake's calls keep Python's lock while they wait for an answer.
PROXY = """
import sys
from benchmarks.faults.stores import proxied
with proxied(sys.argv[1]) as proxy:
    if sys.argv[2] == "slow":
        proxy.pause = lambda: 1.0
    elif sys.argv[2] == "500 now and then":
        proxy.answer = lambda: 500 if proxy.asked % 3 == 0 else None
    elif sys.argv[2] == "500":
        proxy.answer = lambda: 500
    else:
        proxy.cut = lambda: True
    print(proxy.address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lake(s3_server: Any, bucket: S3Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lake:
    """A lake with a table and a file of landing."""
    for name, value in {**s3_server.environment, "SHELFCAST_STATE": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    root = f"s3://{bucket.config['bucket']}/lake"
    lake = Lake(root, settings_of(root).storage_options)
    write(lake, 1)
    file = lake.path("landing", "a.csv")
    file.parent.mkdir(parents=True)
    file.write_text("1")
    push(lake, file)
    return lake


@contextmanager
def behind(lake: Lake, what: str, **options: str) -> Iterator[Lake]:
    """The same lake behind a proxy that spoils requests."""
    command = [sys.executable, "-c", PROXY, lake.storage_options["AWS_ENDPOINT_URL"], what]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        yield replace(lake, storage_options={**lake.storage_options, "AWS_ENDPOINT_URL": proxy.stdout.readline().strip(), **options})
        proxy.kill()


def write(lake: Lake, units: int) -> None:
    lake.replace(TABLE, SliceBlock(REGIONS[:1], WEEK, WEEK), demand(REGIONS[0], WEEK, units))


def counted(plain: Lake, lake: Lake) -> object:
    """What DuckDB reads, which opens a store's files itself."""
    with own_database() as connection:
        lake.reach(connection)
        return connection.execute(f"select sum(demand) from ({plain.select(TABLE)})").fetchone()


@pytest.mark.parametrize("what", ["slow", "500 now and then"])
def test_a_store_that_is_slow_or_answers_500_now_and_then_is_waited_for(lake: Lake, what: str) -> None:
    with behind(lake, what) as spoilt:
        write(spoilt, 7)
        assert spoilt.read(TABLE)["demand"].to_pylist() == [7]
        assert counted(lake, spoilt) == (7,)
        assert pulled(spoilt, "landing").joinpath("a.csv").read_text() == "1"


@pytest.mark.parametrize("what", ["500", "hangs up"])
def test_a_store_that_does_not_answer_any_more_is_told_as_that_and_not_as_damage(
    lake: Lake, what: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It was a defect of Shelfcast where a table was written, and a damaged file, for which a backup was advised, where one was read."""
    monkeypatch.setattr(objects, "RETRIES", 1)
    monkeypatch.setattr(objects, "RETRY_SECONDS", 2)
    with behind(lake, what, max_retries="1", retry_timeout="2s") as spoilt:
        things: list[Callable[[], object]] = [
            lambda: write(spoilt, 7),
            lambda: spoilt.exists(TABLE),
            lambda: spoilt.read(TABLE),
            lambda: counted(lake, spoilt),
            lambda: pulled(spoilt, "landing"),
        ]
        for thing in things:
            with pytest.raises(Exception) as failed:  # noqa: PT011 - what it is told as is looked at
                thing()
            told = explained(failed.value, tmp_path) or f"a defect: {failed.value}"
            assert "Run the command again" in told
            assert "restore" not in told
    write(lake, 7)
    assert lake.read(TABLE)["demand"].to_pylist() == [7]


def test_a_data_file_that_is_gone_from_the_store_is_damage(lake: Lake, tmp_path: Path) -> None:
    sql = lake.select(TABLE).replace("part-", "gone-")
    with own_database() as connection:
        lake.reach(connection)
        with pytest.raises(duckdb.Error) as failed:
            connection.execute(sql)
    assert "'shelfcast restore' brings back a backup" in (explained(failed.value, tmp_path) or "")
