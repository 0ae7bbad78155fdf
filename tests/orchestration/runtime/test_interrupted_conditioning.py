"""Incidents in which conditioning was interrupted: what landing has and gold does not hold is pending, and the next run takes it in."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil
import pyarrow as pa
import pytest
from rich.console import Console

from orchestration.cli.session import session
from orchestration.project import Project
from orchestration.runtime.cycle import take_in
from orchestration.settings import use_root
from tests.orchestration.lakes import LakeAt
from transforms.adapters import ProviderSpec, load_provider
from transforms.calendar import Region, Slice, SliceBlock, Week, blocks_of
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake
from transforms.landing import drop, folder, ingest, ingest_reference, last_week, pending, pending_references, register
from transforms.records.dataset_versions import contents_of

CHECKOUT = Path(__file__).resolve().parents[3]
WEEK = Week.parse("2022-05-02")
TEXAS, OHIO = Region("north_texas"), Region("ohio")
CORRECTED = "id,sku,week,units\n1,A,2022-05-02,12\n2,B,2022-05-02,24\n3,A,2022-05-02,60\n"


@pytest.fixture(scope="module")
def conditioned(shop_kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop's lake, conditioned. For copying, not for writing to."""
    root = tmp_path_factory.mktemp("conditioned")
    Project(provider=str(shop_kept / "corner_shop.yaml")).save(root)
    lake = Lake(str(root))
    drop(lake, provider_of(lake), shop_kept)
    run_again(lake)
    return root


@pytest.fixture
def lake(conditioned: Path, tmp_path: Path) -> Lake:
    """A copy of it."""
    return Lake(str(shutil.copytree(conditioned, tmp_path / "lake")))


def provider_of(lake: Lake) -> ProviderSpec:
    return load_provider(Project.load(lake.path()).provider, base=lake.path())


def run_again(lake: Lake) -> str:
    """What a plain `shelfcast run` does before it trains; returns what it says."""
    told = io.StringIO()
    with session(use_root(lake.root), True, Console(file=told, width=200), "a run") as (workspace, runner, progress):
        take_in(workspace, runner, progress)
    return told.getvalue()


def demand(lake: Lake) -> dict[tuple[str, str, str], int]:
    return {(row["store_id"], row["product_id"], str(row["week"])): row["demand"] for row in lake.read("gold/demand").to_pylist()}


def land(lake: Lake, name: str, text: str) -> None:
    (folder(lake, provider_of(lake)) / name).write_text(text)


def into_bronze_alone(lake: Lake) -> None:
    """Look at landing and take it into bronze; the run is killed before dbt begins."""
    register(lake, provider_of(lake), datetime.now(UTC))
    ingest(lake, provider_of(lake), blocks_of(pending(lake, provider_of(lake))))


def test_a_lake_that_was_conditioned_has_nothing_pending(lake: Lake) -> None:
    assert pending(lake, provider_of(lake)) == {}
    assert pending_references(lake, provider_of(lake)) == {}
    assert "conditioning" not in run_again(lake)


def test_a_corrected_file_whose_conditioning_was_killed_before_dbt_is_taken_in_by_the_next_run(lake: Lake) -> None:
    land(lake, "shipments/2022-05-02.csv", CORRECTED)
    into_bronze_alone(lake)
    assert demand(lake)["3", "A", "2022-05-02"] == 6
    run_again(lake)
    assert demand(lake)["3", "A", "2022-05-02"] == 60
    assert pending(lake, provider_of(lake)) == {}


def test_a_new_week_whose_conditioning_was_killed_before_dbt_is_taken_in_by_the_next_run(lake: Lake) -> None:
    land(lake, "shipments/2022-05-16.csv", "id,sku,week,units\n1,A,2022-05-16,6\n")
    into_bronze_alone(lake)
    assert last_week(lake) == WEEK + 1
    run_again(lake)
    assert demand(lake)["1", "A", "2022-05-16"] == 6
    assert last_week(lake) == WEEK + 2


def test_a_price_list_that_was_registered_and_not_conditioned_is_taken_in_by_the_next_run(lake: Lake) -> None:
    land(lake, "products.csv", "sku,pack,price\nA,6,9.75\nB,12,1.00\n")
    register(lake, provider_of(lake), datetime.now(UTC))
    assert "conditioning stores, products" in run_again(lake)
    assert {row["price"] for row in lake.read("silver/products", where="product_id = 'A'").to_pylist()} == {9.75}


def test_a_price_list_that_stands_in_bronze_alone_is_taken_in_by_the_next_run(lake: Lake) -> None:
    land(lake, "products.csv", "sku,pack,price\nA,6,9.75\nB,12,1.00\n")
    register(lake, provider_of(lake), datetime.now(UTC))
    ingest_reference(lake, provider_of(lake))
    run_again(lake)
    assert {row["price"] for row in lake.read("silver/products", where="product_id = 'A'").to_pylist()} == {9.75}
    assert "conditioning stores, products" not in run_again(lake)


def test_a_correction_that_is_taken_back_after_an_interruption_leaves_no_trace_of_it(lake: Lake) -> None:
    before, path = demand(lake), folder(lake, provider_of(lake)) / "shipments/2022-05-02.csv"
    first = path.read_text()
    land(lake, "shipments/2022-05-02.csv", CORRECTED)
    into_bronze_alone(lake)
    path.write_text(first)
    register(lake, provider_of(lake), datetime.now(UTC))
    assert set(pending(lake, provider_of(lake))) == {Slice(OHIO, WEEK)}
    run_again(lake)
    assert demand(lake) == before
    assert sorted(lake.read("bronze/shipments", where="store_id = '3'")["units_shipped"].to_pylist()) == [6, 12]


def test_a_new_week_that_is_withdrawn_after_an_interruption_leaves_no_rows(lake: Lake) -> None:
    before, name = demand(lake), "shipments/2022-05-16.csv"
    land(lake, name, "id,sku,week,units\n1,A,2022-05-16,6\n3,A,2022-05-23,6\n")
    into_bronze_alone(lake)
    land(lake, name, "id,sku,week,units\n1,A,2022-05-16,6\n")
    run_again(lake)
    assert demand(lake) == {**before, ("1", "A", "2022-05-16"): 6}
    assert "2022-05-23" not in {str(week) for week in lake.read("bronze/shipments")["week"].to_pylist()}


def test_a_lake_of_before_the_record_heals_by_one_conditioning(lake: Lake) -> None:
    land(lake, "shipments/2022-05-02.csv", CORRECTED)
    into_bronze_alone(lake)
    for table in ("bronze/conditioned_slices", "bronze/conditioned_references", "bronze/ingested_references"):
        path = lake.path("lake", *table.split("/"))
        path.rename(path.with_name(f"{path.name}.aside"))
    run_again(lake)
    assert demand(lake)["3", "A", "2022-05-02"] == 60
    assert "conditioning" not in run_again(lake)


def test_slices_that_fail_the_tests_of_dbt_stay_pending(lake: Lake) -> None:
    from orchestration.definitions import defs
    from orchestration.defs import conditioning

    use_root(lake.root)
    only = SliceBlock((OHIO,), WEEK, WEEK)
    rows = lake.read("bronze/shipments", where=f"region = 'ohio' and week = date '{WEEK}'").to_pylist()
    twice = pa.Table.from_pylist([*rows, {**rows[0], "units_shipped": -5}], schema=CONTRACTS["bronze/shipments"].schema)
    lake.replace("bronze/shipments", only, twice)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("region", ["ohio"])
        done = dg.materialize(
            [conditioning.conditioned_models],
            partition_key=dg.MultiPartitionKey({"region": "ohio", "week": str(WEEK)}),
            resources=defs.resources,
            instance=instance,
            raise_on_error=False,
        )
    assert not done.success
    assert set(pending(lake, provider_of(lake))) == {Slice(OHIO, WEEK)}
    run_again(lake)
    assert pending(lake, provider_of(lake)) == {}
    assert demand(lake)["3", "A", "2022-05-02"] == 6


def requested(lake: Lake, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    from orchestration.defs.automation import landing

    context = dg.build_sensor_context(instance=instance, resources={"lake": LakeAt(root=lake.root)})
    return list(landing.landing_sensor.evaluate_tick(context).run_requests or [])


def test_the_landing_sensor_requests_again_what_a_run_failed_to_condition(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.definitions import defs
    from orchestration.defs.automation import requests

    land(lake, "shipments/2022-05-02.csv", CORRECTED)
    into_bronze_alone(lake)
    with dg.DagsterInstance.ephemeral() as instance:
        [first] = requested(lake, instance)
        assert first.job_name == "conditioning"
        run = instance.create_run_for_job(defs.resolve_job_def("conditioning"), tags={**first.tags, "dagster/run_key": first.run_key})
        assert requested(lake, instance) == []
        instance.report_run_failed(run)
        # At once it would fail again.
        assert requested(lake, instance) == []
        monkeypatch.setattr(requests, "AGAIN_AFTER", timedelta(0))
        [again] = requested(lake, instance)
        assert again.run_key != first.run_key
        assert again.tags == first.tags


def test_the_landing_sensor_takes_up_reference_data_that_were_registered_and_not_conditioned(lake: Lake) -> None:
    land(lake, "products.csv", "sku,pack,price\nA,6,9.75\nB,12,1.00\n")
    register(lake, provider_of(lake), datetime.now(UTC))
    with dg.DagsterInstance.ephemeral() as instance:
        assert [request.job_name for request in requested(lake, instance)] == ["reference_data"]


def test_a_run_that_is_killed_while_dbt_builds_is_made_good_by_the_next(lake: Lake, tmp_path: Path) -> None:
    land(lake, "shipments/2022-05-02.csv", CORRECTED)
    land(lake, "products.csv", "sku,pack,price\nA,6,9.75\nB,12,1.00\n")
    undisturbed = Lake(str(tmp_path / "undisturbed"))
    shutil.copytree(lake.path(), undisturbed.path())
    run_again(undisturbed)

    ingested = lake.version("bronze/ingested_slices")
    command = [sys.executable, "-c", "from orchestration.cli.app import app; app()", "run", "--week", str(WEEK + 1), "--root", lake.root, "--local"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=CHECKOUT)
    until(lambda: lake.version("bronze/ingested_slices") != ingested or process.poll() is not None)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert demand(lake)["3", "A", "2022-05-02"] == 6
    run_again(lake)
    assert demand(lake) == demand(undisturbed)
    assert contents_of(lake, [TEXAS, OHIO]) == contents_of(undisturbed, [TEXAS, OHIO])
    assert pending(lake, provider_of(lake)) == {}


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def dbt_processes(of: int) -> dict[str, psutil.Process]:
    """What runs dbt for a process: its command, the server, and the process that it forked."""
    there = psutil.Process(of).children()
    servers = [child for child in there if "orchestration.runtime.dbt.server" in child.cmdline()]
    commands = [child for child in there if any("dbt/command.py" in word for word in child.cmdline())]
    forked = [child for server in servers for child in server.children() if child.cmdline() == server.cmdline()]
    return {name: found[0] for name, found in (("server", servers), ("command", commands), ("forked", forked)) if found}


@pytest.mark.parametrize("which", ["command", "server", "forked"])
def test_dbt_that_is_killed_while_it_builds_is_told_with_what_to_do(lake: Lake, tmp_path: Path, which: str) -> None:
    """Its command line of ten lines was told, and to look into a log of Dagster's."""
    land(lake, "shipments/2022-05-02.csv", CORRECTED)
    command = [sys.executable, "-c", "from orchestration.cli.app import app; app()", "run", "--week", str(WEEK + 1), "--root", lake.root, "--local"]
    ingested = lake.version("bronze/ingested_slices")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=CHECKOUT, text=True) as process:
        dbt: dict[str, psutil.Process] = {}

        def built() -> bool:
            dbt.clear()
            with suppress(psutil.NoSuchProcess):
                dbt.update(dbt_processes(process.pid) if process.poll() is None else {})
            return bool(len(dbt) == 3 and lake.version("bronze/ingested_slices") != ingested) or process.poll() is not None

        until(built)
        dbt[which].kill()
        told = " ".join(process.communicate()[0].split())
    assert process.returncode == 1
    assert "The process that ran dbt was killed, most often because memory ran out. Run the command again: what was finished stays." in told
    run_again(lake)
    assert demand(lake)["3", "A", "2022-05-02"] == 60
