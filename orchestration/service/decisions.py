"""Decisions of persons on models and data, by commands and on pages alike: one after the other, each on record with who and why.

What the machinery judges by itself (validation, checks of new data) stands in `orchestration.lifecycle`.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from orchestration.experiments.mlflow_mirror import mirror_registry
from orchestration.lifecycle.promotion import event, promotion, serving
from orchestration.lifecycle.rollback import to_date, to_previous
from orchestration.people import Person, decider
from orchestration.project import Project
from orchestration.settings import Settings
from transforms.calendar import Region, Week
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.lease import lease
from transforms.lake.tables import Lake
from transforms.landing import last_week
from transforms.records import dataset_versions
from transforms.records.dataset_versions import Dataset, Status, latest_versions
from transforms.records.kept_versions import let_go
from transforms.records.model_registry import CHAMPION, REJECTED, WAITING, ModelEvent, decide, version, versions_named
from transforms.rows import Row

By = Person | str
"""Who decides: a person who signed in and has to be an operator, or whom a command or a run names."""
Tell = Callable[[str], None]
"""Told whom this waits for, where somebody else decides at the moment."""
_deciding = threading.Lock()
"""A lease keeps other processes away, and the pages decide for many persons in one."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What was put on record, and what became of it in the mirror in MLflow: empty where there is none."""

    events: list[ModelEvent]
    mirror: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an approval would do: the origin from which the version is champion, and the version that it replaces."""

    since: Week
    replaces: str | None


def outlook(lake: Lake, name: str) -> Outlook:
    """Look at what an approval of a version would do now; nothing is decided by it.

    Raises
    ------
    MissingData
        If the version is not on record, or no shipments are there.
    """
    since, champion = _segment(lake, recorded(lake, name))
    return Outlook(since, champion["model_version"] if champion and champion["model_version"] != name else None)


def approve(settings: Settings, name: str, by: By, why: str, tell: Tell, seen: datetime | None = None) -> Decided:
    """Make a version champion of its segment, from the last week in the lake on.

    Parameters
    ----------
    seen
        Time of the last decision on the version that whoever decides has seen: one that came later is not decided over.

    Raises
    ------
    ConfigurationError
        If the person is no operator, there is no reason, or nothing to approve.
    MissingData
        If the version is not on record, or maintenance has let it go.
    """
    lake = Lake(settings.root, settings.storage_options)
    with _alone(lake, by, why, tell) as who:
        row = recorded(lake, name)
        _refuse_unseen(row, seen)
        if row["state"] == CHAMPION:
            raise ConfigurationError(f"{name} is champion already: there is nothing to approve.")
        since, champion = _segment(lake, row)
        return _put(settings, lake, promotion(row, champion, since, who, why))


def reject(settings: Settings, name: str, by: By, why: str, tell: Tell, seen: datetime | None = None) -> Decided:
    """Refuse a version that waits for validation; parameters and errors as those of `approve`."""
    lake = Lake(settings.root, settings.storage_options)
    with _alone(lake, by, why, tell) as who:
        row = recorded(lake, name)
        _refuse_unseen(row, seen)
        if row["state"] not in {WAITING, None}:
            hint = " Roll it back instead: 'shelfcast models rollback --previous'." if row["state"] == CHAMPION else ""
            raise ConfigurationError(f"{name} is {row['state']}: only a version that is {WAITING} can be rejected.{hint}")
        return _put(settings, lake, [event(row, REJECTED, Week(row["trained_week"]), who, why)])


def roll_back(settings: Settings, regions: Sequence[Region], on: date | None, by: By, why: str, tell: Tell) -> Decided:
    """Bring back the champions of a date, or each segment's previous one where there is no date; no events where they serve already."""
    lake = Lake(settings.root, settings.storage_options)
    with _alone(lake, by, why, tell) as who:
        since = present(lake)
        events = to_date(lake, regions, on, since, who, why) if on is not None else to_previous(lake, regions, since, who, why)
        return _put(settings, lake, events) if events else Decided([], "")


def decide_on_data(lake: Lake, region: Region, decision: str, by: By, why: str, tell: Tell, seen: str | None = None) -> Dataset:
    """Approve or reject the latest version of a region's data, and return it as it stands then.

    Parameters
    ----------
    seen
        The version that whoever decides has seen waiting: another one, or one that was decided on since, is not decided on.

    Raises
    ------
    ConfigurationError
        If the person is no operator, there is no reason, or the decision is neither approved nor rejected.
    MissingData
        If there is no version yet.
    """
    if decision not in {"approved", "rejected"}:
        raise ConfigurationError(f"decision: expected approved or rejected, came {decision!r}.")
    status: Status = "approved" if decision == "approved" else "rejected"
    with _alone(lake, by, why, tell) as who:
        found = latest_versions(lake, [region])
        if not found:
            raise MissingData(f"{region} has no data version yet: run 'shelfcast init' or 'shelfcast run' first.")
        [latest] = found
        if seen is not None and latest.version != seen:
            raise ConfigurationError(f"{region} has newer data by now: {latest.version}, {latest.status}. Look at them first. Nothing was changed.")
        if seen is not None and latest.status != "awaiting approval":
            raise ConfigurationError(f"{latest.version} was {latest.status} by {latest.actor} meanwhile: {latest.reason}. Nothing was changed.")
        dataset_versions.decide(lake, latest, status, who, why, datetime.now(UTC))
        return replace(latest, status=status, actor=who, reason=why)


def recorded(lake: Lake, name: str) -> Row:
    """A version with its present state.

    Raises
    ------
    MissingData
        If it is not on record.
    """
    row = version(lake, name)
    if row is None:
        raise MissingData(f"{name} is not on record: 'shelfcast models list' names the versions.")
    return row


def present(lake: Lake) -> Week:
    """The origin from which a decision of now holds.

    Raises
    ------
    MissingData
        If there is none yet.
    """
    week = last_week(lake)
    if week is None:
        raise MissingData("The lake holds no shipments yet: nothing can be decided for any origin.")
    return week


@contextmanager
def _alone(lake: Lake, by: By, why: str, tell: Tell) -> Iterator[str]:
    """Let nobody else decide meanwhile; the name that goes on record."""
    who = decider(by.tags) if isinstance(by, Person) else by
    if not why.strip():
        raise ConfigurationError("A decision needs its reason, which is kept for good. Nothing was changed.")
    with _deciding, lease(lake, "decisions", f"decision by {who}", tell):
        yield who


def _segment(lake: Lake, row: Row) -> tuple[Week, Row | None]:
    """From which origin on a version could be champion, and who is it there."""
    since = max(present(lake), Week(row["trained_week"]))
    return since, serving(lake, [Region(row["region"])], since).get((row["region"], row["format"], row["mover"]))


def _put(settings: Settings, lake: Lake, events: list[ModelEvent]) -> Decided:
    _refuse_let_go(lake, events)
    decide(lake, events)
    return Decided(events, mirror_registry(lake, Project.of(lake), settings.tracking_uri) if settings.tracking_uri else "")


def _refuse_unseen(row: Row, seen: datetime | None) -> None:
    if seen is not None and row["decided_at"] > seen:
        raise ConfigurationError(f"{row['model_version']} is {row['state']} by now: {row['actor']} decided meanwhile ({row['reason']}). "
                                 "Nothing was changed.")  # fmt: skip


def _refuse_let_go(lake: Lake, events: Sequence[ModelEvent]) -> None:
    """Make no model champion that maintenance has let go: it could not serve."""
    rows = versions_named(lake, [each.model_version for each in events if each.event == CHAMPION])
    if gone := let_go(lake, rows, datetime.now(UTC) - Project.of(lake).maintenance.rules.keep_past):
        raise MissingData(
            f"{gone[0]['model_version']} is gone: maintenance has let it go, since it neither served nor was decided on for "
            "maintenance.keep_weeks of the project file. Choose another model or a later date. Nothing was changed."
        )
