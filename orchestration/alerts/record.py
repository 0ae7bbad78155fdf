"""`gold/alerts`: what was seen and who was told, and what follows from it: which causes are open, what a rule knows of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

import pyarrow as pa

from orchestration.alerts.alert import Alert, Item, items_of, items_text
from transforms.contracts.operations import ALERTS
from transforms.lake.tables import Lake
from transforms.rows import Row

_LONGEST_WAIT_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Told:
    """A message that a rule got, or was to get: what is recorded beside its cause and state."""

    rule: str
    address: str
    failure: str = ""


@dataclass(frozen=True)
class Record:
    """The rows on record, oldest first."""

    rows: Sequence[Row] = ()
    _seen: dict[str, list[Row]] = field(init=False, repr=False, default_factory=dict)
    _told: dict[tuple[str, str], list[Row]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.rows:
            if row["rule"] is None:
                self._seen.setdefault(row["cause"], []).append(row)
            else:
                self._told.setdefault((row["rule"], row["cause"]), []).append(row)

    @classmethod
    def of(cls, lake: Lake) -> Self:
        """Read it."""
        return cls(lake.read(ALERTS.name).sort_by("event_time").to_pylist() if lake.exists(ALERTS.name) else ())

    def open_causes(self) -> dict[str, Row]:
        """The last row that was seen of each cause that is open."""
        return {cause: rows[-1] for cause, rows in self._seen.items() if rows[-1]["state"] != "recovered"}

    def delivered(self, rule: str, cause: str) -> Row | None:
        """The last message on a cause that a rule got; None where it got none, or the last one said that the cause is gone."""
        rows = [row for row in self._told.get((rule, cause), ()) if row["outcome"] == "delivered"]
        return rows[-1] if rows and rows[-1]["state"] != "recovered" else None

    def failures(self, rule: str, cause: str) -> list[Row]:
        """The tries that failed since the last message on a cause that a rule got, oldest first."""
        found: list[Row] = []
        for row in self._told.get((rule, cause), ()):
            found = [*found, row] if row["outcome"] == "failed" else []
        return found

    def was_sent(self, rule: str, cause: str) -> bool:
        """Whether a rule got a message that is no alert."""
        return any(row["outcome"] == "delivered" for row in self._told.get((rule, cause), ()))

    def waits(self, rule: str, cause: str, now: datetime) -> bool:
        """Whether a message that was not taken is to be tried later: a minute after the first time, longer after each, up to an hour."""
        failed = self.failures(rule, cause)
        return bool(failed) and bool(now < failed[-1]["event_time"] + timedelta(minutes=min(2 ** (len(failed) - 1), _LONGEST_WAIT_MINUTES)))

    def known_keys(self, message: Row) -> frozenset[str]:
        """What a message told of and what has not gone since: that which came back is told again."""
        keys = {item.key for item in items_of(message["items"])}
        for row in self._seen.get(message["cause"], ()):
            if row["event_time"] > message["event_time"]:
                keys &= {item.key for item in items_of(row["items"])}
        return frozenset(keys)


def changes(record: Record, alerts: Mapping[str, Alert], looked_at: frozenset[str]) -> Iterator[tuple[Alert, str]]:
    """What is to be put on record as seen: each cause that opened, changed or ended since, with its state.

    Parameters
    ----------
    looked_at
        Kinds that could be looked at: a cause of another kind has not ended because it is not seen.
    """
    before = record.open_causes()
    for cause, alert in alerts.items():
        known = frozenset(item.key for item in items_of(before[cause]["items"])) if cause in before else frozenset[str]()
        if cause not in before:
            yield alert, "opened"
        elif alert.keys - known:
            yield alert, "grew"
        elif known - alert.keys:
            yield alert, "shrank"
    for cause, row in before.items():
        if cause not in alerts and row["kind"] in looked_at:
            yield gone(row, ()), "recovered"


def gone(row: Row, items: tuple[Item, ...]) -> Alert:
    """An alert that is open no more, as a row of the record tells of it."""
    return Alert(row["kind"], row["cause"].partition("/")[2], row["title"], items)


def seen(found: Sequence[tuple[Alert, str]], now: datetime) -> list[Row]:
    """Rows of what was seen."""
    return [_row(alert.cause, alert.kind, alert.severity, state, _title(alert, state), alert.items, now) for alert, state in found]


def told(alert: Alert, state: str, to: Told, now: datetime) -> Row:
    """Row of a message on an alert."""
    return _row(alert.cause, alert.kind, alert.severity, state, _title(alert, state), alert.items, now, to)


def sent(kind: str, cause: str, title: str, to: Told, now: datetime) -> Row:
    """Row of a message that is no alert."""
    return _row(cause, kind, "info", "sent", title, (), now, to)


def append(lake: Lake, rows: Sequence[Row]) -> None:
    """Put rows on record."""
    if rows:
        lake.append(ALERTS.name, pa.Table.from_pylist(list(rows), schema=ALERTS.schema))


def _title(alert: Alert, state: str) -> str:
    """What has ended has its title from the record."""
    return alert.what if state == "recovered" else alert.title


def _row(cause: str, kind: str, severity: str, state: str, title: str, items: Sequence[Item], now: datetime, to: Told | None = None) -> Row:
    return {
        "event_time": now,
        "cause": cause,
        "kind": kind,
        "severity": severity,
        "state": state,
        "title": title,
        "items": items_text(items),
        "regions": ",".join(sorted({region for item in items for region in item.regions})) or None,
        "rule": to.rule if to else None,
        "address": to.address if to else None,
        "outcome": "seen" if to is None else "failed" if to.failure else "delivered",
        "failure": to.failure or None if to else None,
    }
