"""Persons decide on models and data: by a command and on a page the same, one after the other, and nobody who may not."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestration.people import Person
from orchestration.project import Project
from orchestration.service import decisions
from orchestration.settings import Settings
from orchestration.views.data import decide_latest
from orchestration.views.models import approve_version, reject_version
from tests.orchestration.service.undecided import waiting_data, waiting_model
from tests.orchestration.waiting import free_port
from transforms.calendar import Region, Week
from transforms.errors import ConfigurationError, MissingData, ShelfcastError
from transforms.lake.tables import Lake
from transforms.records.model_registry import events_of

ANN, BEA = Person("ann", "operator"), Person("bea", "operator")
REGION = Region("north_texas")


class InAYear(datetime):
    """The clock a year later."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(days=365)


@pytest.fixture
def lake(small_lake: Path, tmp_path: Path) -> Lake:
    return Lake(str(shutil.copytree(small_lake, tmp_path / "root")))


def at(lake: Lake) -> Settings:
    return Settings(root=lake.root)


def quiet(_: str) -> None:
    pass


def record(lake: Lake) -> list[dict[str, Any]]:
    """All decisions on models and data."""
    return [*lake.read("gold/model_events").to_pylist(), *lake.read("gold/dataset_events").to_pylist()]


def decided(lake: Lake, name: str) -> list[dict[str, Any]]:
    """Decisions on a model since it waits, but for when and by whom."""
    without = {"event_time", "actor", "model_version", "replaces"}
    return [{key: value for key, value in row.items() if key not in without} for row in events_of(lake, name)[1:]]


@pytest.mark.parametrize(("page", "command"), [(decisions.approve, approve_version), (decisions.reject, reject_version)])
def test_a_page_puts_the_very_same_on_record_as_the_command(lake: Lake, page: Callable[..., Any], command: Callable[..., None]) -> None:
    by_page, by_command = waiting_model(lake, "p"), waiting_model(lake, "c")
    page(at(lake), by_page, ANN, "checked", quiet)
    command(at(lake), by_command, "ann (login root)", "checked", Console(quiet=True))
    first, second = decided(lake, by_page), decided(lake, by_command)
    assert len(second) == 1
    assert first[:1] == second
    assert [events_of(lake, name)[1]["actor"] for name in (by_page, by_command)] == ["ann (signed in)", "ann (login root)"]


def test_what_an_approval_would_do_is_what_it_does(lake: Lake) -> None:
    name = waiting_model(lake, "p")
    told = decisions.outlook(lake, name)
    champion, retired = decisions.approve(at(lake), name, ANN, "checked", quiet).events
    assert (told.since, told.replaces) == (Week(champion.effective_week), champion.replaces)
    assert (retired.model_version, retired.event) == (told.replaces, "retired")
    assert told.replaces == name.removesuffix("-p")
    assert decisions.outlook(lake, name).replaces is None


def test_a_data_decision_on_a_page_is_that_of_the_command(lake: Lake) -> None:
    kept = []
    for decide in (
        lambda name: decisions.decide_on_data(lake, REGION, "approved", ANN, "carrier confirmed", quiet, name),
        lambda _: decide_latest(at(lake), "north_texas", "approved", "ann (login root)", "carrier confirmed", Console(quiet=True)),
    ):
        name = waiting_data(lake)
        decide(name)
        last = max(lake.read("gold/dataset_events").to_pylist(), key=lambda row: row["event_time"])
        kept.append((last["region"], last["dataset_version"] == name, last["event"], last["reason"], last["actor"].partition(" ")[0]))
    assert kept == [("north_texas", True, "approved", "carrier confirmed", "ann")] * 2


@pytest.mark.parametrize("person", [Person("vic", "viewer"), Person("pia", "planner"), Person("pat", "planner", ("north_texas",))])
def test_nobody_but_an_operator_decides(lake: Lake, person: Person) -> None:
    name, data = waiting_model(lake, "p"), waiting_data(lake)
    before = record(lake)
    refused = rf"{person.name} is a {person.role}: decisions are an operator's\. Ask one"
    for act in (decisions.approve, decisions.reject):
        with pytest.raises(ConfigurationError, match=refused):
            act(at(lake), name, person, "checked", quiet)
    with pytest.raises(ConfigurationError, match=refused):
        decisions.decide_on_data(lake, REGION, "approved", person, "checked", quiet, data)
    with pytest.raises(ConfigurationError, match=refused):
        decisions.roll_back(at(lake), [REGION], None, person, "checked", quiet)
    assert record(lake) == before


def test_a_decision_without_a_reason_is_refused(lake: Lake) -> None:
    name = waiting_model(lake, "p")
    with pytest.raises(ConfigurationError, match=r"A decision needs its reason, which is kept for good\. Nothing was changed\."):
        decisions.approve(at(lake), name, ANN, " \n", quiet)
    assert decided(lake, name) == []


def test_two_operators_who_approve_one_model_at_the_same_moment_make_one_decision(lake: Lake) -> None:
    name = waiting_model(lake, "p")

    def act(person: Person) -> str:
        try:
            decisions.approve(at(lake), name, person, "checked", quiet)
        except ShelfcastError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(act, (ANN, BEA)))
    assert answers == ["", f"{name} is champion already: there is nothing to approve."]
    assert [row["event"] for row in decided(lake, name)] == ["champion"]


def test_what_somebody_decided_meanwhile_is_not_decided_over(lake: Lake) -> None:
    name = waiting_model(lake, "p")
    seen = events_of(lake, name)[-1]["event_time"]
    decisions.reject(at(lake), name, BEA, "worse on returns", quiet, seen)
    with pytest.raises(ConfigurationError) as refused:
        decisions.approve(at(lake), name, ANN, "checked", quiet, seen)
    assert str(refused.value) == f"{name} is rejected by now: bea (signed in) decided meanwhile (worse on returns). Nothing was changed."
    assert [row["event"] for row in decided(lake, name)] == ["rejected"]


def test_data_that_somebody_decided_on_meanwhile_or_that_changed_are_not_decided_on(lake: Lake) -> None:
    first = waiting_data(lake)
    decisions.decide_on_data(lake, REGION, "rejected", BEA, "prices are wrong", quiet, first)
    with pytest.raises(ConfigurationError) as refused:
        decisions.decide_on_data(lake, REGION, "approved", ANN, "checked", quiet, first)
    assert str(refused.value) == f"{first} was rejected by bea (signed in) meanwhile: prices are wrong. Nothing was changed."
    second = waiting_data(lake)
    with pytest.raises(ConfigurationError, match=f"north_texas has newer data by now: {second}, awaiting approval. Look at them first"):
        decisions.decide_on_data(lake, REGION, "approved", ANN, "checked", quiet, first)


def test_a_decision_on_data_that_is_neither_yes_nor_no_is_refused(lake: Lake) -> None:
    with pytest.raises(ConfigurationError, match="expected approved or rejected, came 'perhaps'"):
        decisions.decide_on_data(lake, REGION, "perhaps", "ann", "why not", quiet)


def test_a_decision_on_data_that_are_not_there_says_what_to_do(lake: Lake) -> None:
    with pytest.raises(MissingData, match="ohio has no data version yet: run 'shelfcast init' or 'shelfcast run' first"):
        decisions.decide_on_data(lake, Region("ohio"), "approved", "ann", "looks fine", quiet)


def test_a_run_decides_on_the_latest_version_in_the_name_it_gives(lake: Lake) -> None:
    version = decisions.decide_on_data(lake, REGION, "rejected", "ann", "prices are wrong", quiet)
    last = max(lake.read("gold/dataset_events").to_pylist(), key=lambda row: row["event_time"])
    assert (last["dataset_version"], last["event"], last["actor"], last["reason"]) == (version.version, "rejected", "ann", "prices are wrong")
    assert (version.status, version.actor, version.reason) == ("rejected", "ann", "prices are wrong")


def test_a_model_that_maintenance_has_let_go_is_not_approved_on_a_page_either(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.of(lake)
    project.model_copy(update={"maintenance": project.maintenance.model_copy(update={"keep_weeks": 26})}).keep(lake)
    [first] = lake.read("gold/model_versions", columns="min(trained_week) as week")["week"].to_pylist()
    name = waiting_model(lake, "old", trained_week=(Week(first) + -1).monday, artifact_uri="models/gone", held_back_uri=None)
    monkeypatch.setattr("orchestration.service.decisions.datetime", InAYear)
    with pytest.raises(MissingData, match=r"-old is gone: maintenance has let it go, .* Nothing was changed\.$"):
        decisions.approve(at(lake), name, ANN, "it was good", quiet)


def test_what_is_not_on_record_cannot_be_decided_on(lake: Lake) -> None:
    with pytest.raises(MissingData, match="nobody is not on record: 'shelfcast models list' names the versions"):
        decisions.approve(at(lake), "nobody", ANN, "checked", quiet)


def test_a_rollback_to_what_serves_already_puts_nothing_on_record(lake: Lake) -> None:
    before = record(lake)
    assert decisions.roll_back(at(lake), [REGION], None, ANN, "checked", quiet) == decisions.Decided([], "")
    assert record(lake) == before


@pytest.mark.slow
def test_a_mirror_that_is_down_is_told_and_holds_up_no_decision(lake: Lake) -> None:
    name = waiting_model(lake, "p")
    there = Settings(root=lake.root, tracking_uri=f"http://127.0.0.1:{free_port()}")
    assert decisions.approve(there, name, ANN, "checked", quiet).mirror.startswith("behind: ")
    assert [row["event"] for row in decided(lake, name)] == ["champion"]
