"""Incidents of pace: a week that took half a minute to condition, most of it in processes that started, loaded and parsed what nobody needed."""

import io
import multiprocessing
import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from orchestration.cli.session import session
from orchestration.project import Project
from orchestration.runtime.cycle import take_in
from orchestration.runtime.dbt.files import place_of_parsed
from orchestration.runtime.dbt.manifest import dbt_project
from orchestration.runtime.dbt.server import parsed
from orchestration.settings import DBT_PROJECT, use_root
from transforms.adapters import load_provider
from transforms.lake.tables import Lake
from transforms.landing import drop, folder
from transforms.records.dataset_versions import latest_versions


def take_in_landing(lake: Lake) -> None:
    with session(use_root(lake.root), True, Console(file=io.StringIO()), "a run") as (workspace, runner, progress):
        take_in(workspace, runner, progress)


def test_a_week_is_conditioned_by_one_process_of_dbt_which_parses_nothing_again_and_no_worker(
    shop_kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    Project(provider=str(shop_kept / "corner_shop.yaml")).save(lake.path())
    provider = load_provider(Project.load(lake.path()).provider, base=lake.path())
    drop(lake, provider, shop_kept)
    take_in_landing(lake)
    (folder(lake, provider) / "shipments/2022-05-16.csv").write_text("id,sku,week,units\n1,A,2022-05-16,6\n3,A,2022-05-16,12\n")
    lake.path("steps.log").unlink()

    started: list[list[str]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, args: list[str], *more: object, **how: object) -> None:
            started.append(args)
            super().__init__(args, *more, **how)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    # More than one, as on any machine that forecasts: where there is no model to score with, none of them is started.
    monkeypatch.setenv("SHELFCAST_WORKERS", "2")
    monkeypatch.setattr(multiprocessing, "get_context", lambda method: pytest.fail(f"workers were started ({method})"))
    take_in_landing(lake)
    # Dagster has small processes of its own, which copy what a step prints.
    assert [args[4] for args in started if any("dbt/command.py" in str(part) for part in args)] == ["build"]
    # What loaded dbt for the weeks before forks this week's.
    assert not any("orchestration.runtime.dbt.server" in args for args in started)
    assert "parsing" not in lake.path("steps.log").read_text()
    assert {(str(found.region), str(found.last_week)) for found in latest_versions(lake)} == {
        ("north_texas", "2022-05-16"),
        ("ohio", "2022-05-16"),
    }


def test_a_model_that_was_edited_after_the_project_was_parsed_is_parsed_anew(tmp_path: Path) -> None:
    dbt_project()
    project = tmp_path / "dbt_project"
    shutil.copytree(DBT_PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    assert parsed(project) is None
    place_of_parsed(project).parent.mkdir()
    shutil.copy(place_of_parsed(DBT_PROJECT), place_of_parsed(project))
    manifest = parsed(project)
    assert manifest is not None
    assert "model.shelfcast.demand" in manifest.nodes
    with (project / "models/marts/demand.sql").open("a") as model:
        model.write("-- edited\n")
    assert parsed(project) is None
