"""One look: what is open now is put on record, and each rule told what it does not know yet. Who looks at the same time waits."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orchestration.alerts.alert import Alert, Item
from orchestration.alerts.causes import freshness, runs, serving, waiting
from orchestration.alerts.delivery import SECONDS, Message, address_of, deliver, shown
from orchestration.alerts.due import Due, due
from orchestration.alerts.messages import Lake as From
from orchestration.alerts.messages import of_alert, of_trial
from orchestration.alerts.record import Record, Told, append, changes, seen, sent, told
from orchestration.alerts.rules import AlertRule, Expected
from orchestration.alerts.summary import Summary, due_summaries
from transforms.adapters import ProviderSpec
from transforms.contracts.bronze import STORES
from transforms.contracts.operations import TRIAL, WEEKLY_SUMMARY
from transforms.errors import ConfigurationError, ShelfcastError
from transforms.lake.lease import turn
from transforms.lake.tables import STORAGE_FAILED, Lake
from transforms.landing import regions
from transforms.rows import Row

_TURN = "alerts"
_UNREADABLE = (*STORAGE_FAILED, duckdb.IOException, duckdb.InvalidInputException)
"""What reading a table raises whose files are damaged or out of reach."""
_IN_A_ROW = 2
"""Messages that a server does not take in one look after which it is left in peace until the next one."""


@dataclass(frozen=True)
class Company:
    """What a look is at, and by which rules: a lake, its provider, the target for errors, and what the project file says of alerts."""

    lake: Lake
    provider: ProviderSpec
    max_mape: float
    rules: tuple[AlertRule, ...]
    expected: Expected
    ui: str = ""

    @property
    def place(self) -> From:
        """What messages say of where they are from."""
        return From(self.provider.name, self.lake.root, self.ui)


@dataclass(frozen=True)
class Looked:
    """What a look found and did: alerts that are open, rows that were recorded of messages, messages left to the next look."""

    alerts: list[Alert]
    told: list[Row]
    left: int

    @property
    def failed(self) -> list[Row]:
        """Messages that were not delivered."""
        return [row for row in self.told if row["outcome"] == "failed"]


def open_alerts(company: Company, now: datetime) -> tuple[dict[str, Alert], frozenset[str]]:
    """The alerts that are open, by cause, and the kinds that could be looked at: one that could not is an alert of its own."""
    lake = company.lake
    sources: dict[tuple[str, ...], Callable[[], list[Alert]]] = {
        ("run_failed",): lambda: runs.failed_runs(lake),
        ("file_refused",): lambda: waiting.files_refused(lake, company.provider),
        ("data_waiting",): lambda: waiting.data_waiting(lake),
        ("model_waiting",): lambda: waiting.models_waiting(lake),
        ("rollback",): lambda: serving.rollbacks(lake, now),
        ("failover", "lower_rung"): lambda: serving.lower_rungs(lake),
        ("stale_model",): lambda: serving.stale_models(lake),
        ("accuracy",): lambda: serving.missed_target(lake, company.max_mape),
        ("drift",): lambda: serving.costly_drift(lake, company.expected.drift_usd),
        ("missed",): lambda: freshness.missed(lake, company.expected, now),
    }
    found, looked_at, blind = list[Alert](), {"cannot_look"}, list[Item]()
    for kinds, source in sources.items():
        try:
            found += source()
            looked_at |= {*kinds}
        except (ShelfcastError, *_UNREADABLE) as error:
            blind += [Item(kind, str(error).splitlines()[0]) for kind in kinds]
    if blind:
        advice = "Whether anything of that kind is wrong is not known meanwhile: shelfcast doctor"
        found.append(Alert("cannot_look", "", "What alerts are made from cannot be read", tuple(blind), advice))
    return {alert.cause: alert for alert in found}, frozenset(looked_at)


def look(company: Company, now: datetime, held: Callable[[str], str], patient: bool = False, seconds: float = float("inf")) -> Looked:
    """Look once: record what opened, changed or ended, and tell each rule what it is to know.

    A message is recorded right after it was sent: who is killed in between sends it once more, and none is lost.

    Parameters
    ----------
    now
        Moment that is looked at.
    held
        What a variable holds, as `orchestration.settings.held_by` tells it.
    patient
        Wait longer each time before a message that was not taken is tried again.
    seconds
        Time for sending; what is left over is due at the next look.
    """
    ends = time.monotonic() + seconds
    with turn(company.lake, _TURN):
        alerts, looked_at = open_alerts(company, now)
        append(company.lake, seen(list(changes(Record.of(company.lake), alerts, looked_at)), now))
        record = Record.of(company.lake)
        messages: list[Due | Summary] = [
            *due(company.rules, alerts, record, looked_at, now),
            *due_summaries(company.lake, company.rules, alerts, record, company.expected, company.max_mape, now),
        ]
        ready = [message for message in messages if not (patient and record.waits(message.rule.name, message.cause, now))]
        rows = _send(company, ready, now, held, ends)
    return Looked(list(alerts.values()), rows, len(messages) - len(rows))


def try_out(company: Company, rule: AlertRule, now: datetime, held: Callable[[str], str]) -> Row:
    """Send a test message by a rule, and return what was recorded of it."""
    with turn(company.lake, _TURN):
        to = _told(rule, of_trial(rule.name, company.place), held)
        row = sent(TRIAL, f"{TRIAL}/{rule.name}", f"Test of the rule {rule.name}", to, now)
        append(company.lake, [row])
    return row


def _send(company: Company, messages: Sequence[Due | Summary], now: datetime, held: Callable[[str], str], ends: float) -> list[Row]:
    """Send and record one after the other, and return what was recorded; where time is over the rest is left."""
    rows, failing = list[Row](), dict[str, int]()
    for message in messages:
        rule = message.rule
        if failing.get(rule.name, 0) >= _IN_A_ROW or time.monotonic() + SECONDS > ends:
            continue
        if isinstance(message, Summary):
            to = _told(rule, message.message(company.place), held)
            row = sent(WEEKLY_SUMMARY, message.cause, message.title, to, now)
        else:
            to = _told(rule, of_alert(message, company.place), held)
            row = told(message.alert, message.state, to, now)
        append(company.lake, [row])
        rows.append(row)
        failing[rule.name] = failing.get(rule.name, 0) + 1 if to.failure else 0
    return rows


def _told(rule: AlertRule, message: Message, held: Callable[[str], str]) -> Told:
    try:
        address = address_of(rule, held)
    except ConfigurationError as error:
        return Told(rule.name, "", str(error))
    return Told(rule.name, shown(address), deliver(address, message))


def unknown_regions(company: Company) -> list[str]:
    """Sentences on regions of rules that have no stores: no alert is about one, unless it is yet to come."""
    if not company.lake.exists(STORES.name):
        return []
    known = {*map(str, regions(company.lake))}
    return [
        f"Rule {rule.name}: {', '.join(unknown)} has no stores in the lake; expected some of {', '.join(sorted(known))}."
        for rule in company.rules
        if (unknown := sorted({*rule.regions} - known))
    ]


def nobody_wants(alert: Alert, rules: Sequence[AlertRule]) -> bool:
    """True where no rule is told of an alert."""
    return not any(rule.wants(alert.kind, alert.severity) and alert.within(rule.regions).items for rule in rules)
