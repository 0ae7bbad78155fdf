"""Which messages a rule is to get, from what is open and what it was told. Nothing is sent and nothing written here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.alerts.alert import Alert
from orchestration.alerts.record import Record, gone
from orchestration.alerts.rules import AlertRule
from transforms.rows import Row


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is due: its rule, what it is about (of the rule's regions), why now, which items are new, and how often it was tried."""

    rule: AlertRule
    alert: Alert
    state: str
    new: frozenset[str]
    since: datetime | None
    tries: int

    @property
    def cause(self) -> str:
        """What it is recorded as."""
        return self.alert.cause


def due(rules: Sequence[AlertRule], alerts: Mapping[str, Alert], record: Record, looked_at: frozenset[str], now: datetime) -> list[Due]:
    """Messages that are due, those that were tried least first: one that no server takes holds up no other.

    Parameters
    ----------
    looked_at
        Kinds that could be looked at.
    """
    found = [message for rule in rules for message in _of_rule(rule, alerts, record, looked_at, now)]
    return sorted(found, key=lambda message: message.tries)


def _of_rule(rule: AlertRule, alerts: Mapping[str, Alert], record: Record, looked_at: frozenset[str], now: datetime) -> Iterator[Due]:
    opened = {cause: row["event_time"] for cause, row in record.open_causes().items()}
    for cause in dict.fromkeys([*alerts, *(row["cause"] for row in record.rows if row["rule"] == rule.name)]):
        alert, last = alerts.get(cause), record.delivered(rule.name, cause)
        seen = alert.within(rule.regions) if alert is not None and rule.wants(alert.kind, alert.severity) else None
        state, new = _state(rule, alert, seen, last, record, now)
        failed = record.failures(rule.name, cause)
        tries = len(failed)
        if alert is None and last is None and failed and failed[0]["kind"] in looked_at:
            # It came and went while nobody took a message: that it was there is told with its end.
            yield Due(rule, gone(failed[0], ()), "recovered", frozenset(), failed[0]["event_time"], tries)
            continue
        if state == "recovered" and last is not None:
            # What a person rolled back or corrected by hand does not come back, and what could not be looked at may be there still.
            if last["kind"] in looked_at:
                yield Due(rule, gone(last, ()), state, new, last["event_time"], tries)
        elif state and seen is not None:
            yield Due(rule, seen, state, new, opened.get(cause), tries)


def _state(rule: AlertRule, alert: Alert | None, seen: Alert | None, last: Row | None, record: Record, now: datetime) -> tuple[str, frozenset[str]]:
    """Why a rule is to be told of a cause now, empty where it is not, and which of its items are new to it."""
    items = seen.keys if seen is not None else frozenset[str]()
    if last is None:
        return ("opened", items) if items else ("", items)
    known = record.known_keys(last)
    if new := items - known:
        return "grew", new
    if not items:
        # A rule that asks for less than before is not told that something has ended.
        still = alert is not None and bool(known & alert.keys)
        happened = last["kind"] == "rollback"
        return ("" if still or happened else "recovered"), frozenset()
    again = rule.remind_after_days and now - last["event_time"] >= timedelta(days=rule.remind_after_days)
    return ("reminded" if again else ""), frozenset()
