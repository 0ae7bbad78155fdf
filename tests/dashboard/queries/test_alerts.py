"""Incidents of the alerts on Monitoring: one that nobody heard of looked as if it had been told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.queries.alerts import messages, open_alerts
from dashboard.queries.reader import Reader
from tests.dashboard.lakes import put
from transforms.lake.tables import Lake

AT = datetime(2024, 7, 8, 6, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


@pytest.fixture
def reader(lake: Lake) -> Reader:
    return Reader(lake)


def said(lake: Lake, minutes: int, state: str, rule: str | None = None, cause: str = "run_failed/weekly_cycle", **more: Any) -> None:
    outcome = "seen" if rule is None else "delivered"
    row = {
        "event_time": AT + timedelta(minutes=minutes),
        "cause": cause,
        "kind": cause.split("/", maxsplit=1)[0],
        "severity": "critical",
        "state": state,
        "items": "[]",
    }
    put(lake, "gold/alerts", {**row, "rule": rule, "outcome": outcome, **more})


def test_an_alert_is_open_until_it_is_over_and_tells_who_heard_of_it_since_it_opened(lake: Lake, reader: Reader) -> None:
    said(lake, 0, "opened")
    said(lake, 1, "opened", "ops")
    said(lake, 2, "recovered")
    said(lake, 3, "recovered", "ops")
    reader.forget_versions()
    assert open_alerts(reader) == []
    said(lake, 4, "opened")
    said(lake, 5, "opened", "chat", outcome="failed", failure="no route")
    said(lake, 6, "grew")
    said(lake, 7, "opened", None, "accuracy", severity="warning")
    reader.forget_versions()
    [urgent, other] = open_alerts(reader)
    assert (urgent["cause"], urgent["since"]) == ("run_failed/weekly_cycle", AT + timedelta(minutes=4))
    assert [(one["rule"], one["outcome"], one["failure"]) for one in urgent["told"]] == [("chat", "failed", "no route")]
    assert (other["cause"], other["told"]) == ("accuracy", [])
    assert [row["rule"] for row in messages(reader)] == ["chat", "ops", "ops"]


def test_a_lake_whose_alerts_nobody_looked_for_has_none(reader: Reader) -> None:
    assert (open_alerts(reader), messages(reader)) == ([], [])
