"""Logs of old runs go; runs, and what stands in each asset, stay where the UI's pages find them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from orchestration.runtime.instance import open_instance
from orchestration.runtime.run_logs import remove_old_logs
from orchestration.runtime.runs import Runner


@dg.asset
def prices() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"rows": 7, "plot": dg.MarkdownMetadataValue("x" * 5_000)})


@dg.asset_check(asset=prices)
def cheap() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


CODE = dg.Definitions(assets=[prices], asset_checks=[cheap], jobs=[dg.define_asset_job("job", selection=[prices])], executor=dg.in_process_executor)


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Three runs that wrote the same asset, one after the other."""
    with open_instance(tmp_path, local=False) as instance:
        runner = Runner(lambda: CODE, instance, tmp_path / "log", lambda *_: None)
        return [runner.execute_unpartitioned("job") for _ in range(3)]


def later() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


def test_logs_of_old_runs_go_and_the_asset_keeps_what_was_written_last(tmp_path: Path, runs: list[str]) -> None:
    with open_instance(tmp_path, local=False) as instance:
        removed = remove_old_logs(instance, later(), dry_run=False)
        assert (removed.runs, removed.size > 100_000, removed.events) == (3, True, 10)
        assert [run.run_id for run in instance.get_runs()] == runs[::-1]
        assert all(run.is_success for run in instance.get_runs())
        latest = instance.get_latest_materialization_event(prices.key)
        assert latest is not None
        assert latest.run_id == runs[-1]
        assert latest.asset_materialization.metadata["rows"].value == 7
    assert [path.name for path in (tmp_path / "dagster" / "history" / "runs").glob("*.db")] == ["index.db"]


def test_the_page_of_a_run_whose_log_is_gone_opens_without_events(tmp_path: Path, runs: list[str]) -> None:
    with open_instance(tmp_path, local=False) as instance:
        assert instance.all_logs(runs[0])
        remove_old_logs(instance, later(), dry_run=False)
        assert list(instance.all_logs(runs[0])) == []


def test_of_an_old_slice_numbers_stay_and_plots_go(tmp_path: Path, runs: list[str]) -> None:
    with open_instance(tmp_path, local=False) as instance:
        remove_old_logs(instance, later(), dry_run=False)
        [record] = instance.fetch_materializations(prices.key, limit=10).records
        assert record.asset_materialization is not None
        assert {name: value.value for name, value in record.asset_materialization.metadata.items()} == {"rows": 7}


def test_of_a_check_the_last_result_stays(tmp_path: Path, runs: list[str]) -> None:
    with open_instance(tmp_path, local=False) as instance:
        remove_old_logs(instance, later(), dry_run=False)
        [left] = instance.event_log_storage.get_asset_check_execution_history(cheap.check_key, limit=10)
        assert (left.run_id, left.status.value) == (runs[-1], "SUCCEEDED")
        assert left.event is not None


def test_logs_of_young_runs_stay(tmp_path: Path, runs: list[str]) -> None:
    with open_instance(tmp_path, local=False) as instance:
        removed = remove_old_logs(instance, datetime.now(UTC) - timedelta(days=1), dry_run=False)
        assert (removed.runs, removed.files, removed.events) == (0, 0, 0)
        assert all(instance.all_logs(run) for run in runs)


def test_a_dry_run_tells_what_would_go_and_removes_nothing(tmp_path: Path, runs: list[str]) -> None:
    with open_instance(tmp_path, local=False) as instance:
        tried = remove_old_logs(instance, later(), dry_run=True)
        assert all(instance.all_logs(run) for run in runs)
        done = remove_old_logs(instance, later(), dry_run=False)
        assert (tried.runs, tried.events) == (done.runs, done.events) == (3, 10)


def test_a_run_that_is_going_on_keeps_its_log(tmp_path: Path, runs: list[str]) -> None:
    with open_instance(tmp_path, local=False) as instance:
        begun = instance.create_run_for_job(CODE.resolve_job_def("job"))
        instance.report_engine_event("waiting", begun)
        remove_old_logs(instance, later(), dry_run=False)
        assert instance.all_logs(begun.run_id)
