"""Alerts for the terminal: what is open, who is told, what became of messages."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape

from orchestration.alerts.alert import Alert
from orchestration.alerts.delivery import address_of, shown
from orchestration.alerts.look import Company, look, nobody_wants, open_alerts, try_out, unknown_regions
from orchestration.alerts.messages import moment, ui_address
from orchestration.alerts.record import Record
from orchestration.project import FILE, Project
from orchestration.settings import Settings, held_by
from orchestration.views.tables import narrow_table
from transforms.adapters import load_provider
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.rows import Row

_STYLES = {"critical": "bold red", "warning": "yellow", "info": ""}
_MOST_ITEMS = 5


def show_alerts(settings: Settings, limit: int, console: Console) -> None:
    """`shelfcast alerts list`."""
    company = _company(settings)
    alerts, _ = open_alerts(company, datetime.now(UTC))
    _show_rules(company, console)
    _show_open(company, list(alerts.values()), console)
    told = [row for row in Record.of(company.lake).rows if row["rule"] is not None]
    if told:
        table = narrow_table("Messages, the newest first", {"at": 16, "rule": 10, "state": 9, "title": 20, "outcome": 12})
        for row in reversed(told[-limit:]):
            outcome = f"failed: {row['failure']}" if row["outcome"] == "failed" else row["outcome"]
            table.add_row(f"{row['event_time']:%Y-%m-%d %H:%M}", row["rule"], row["state"], escape(row["title"]), escape(outcome))
        console.print(table)
    else:
        console.print("Nobody has been told of anything yet.")


def send_now(settings: Settings, console: Console) -> bool:
    """`shelfcast alerts send`: return whether everything that was sent was taken."""
    company = _company(settings)
    looked = look(company, datetime.now(UTC), held_by)
    console.print(f"{len(looked.alerts)} alerts are open; {len(looked.told) - len(looked.failed)} messages sent.", highlight=False)
    for row in looked.told:
        _show_message(row, console)
    if not company.rules:
        console.print(_no_rule(company), highlight=False, soft_wrap=True)
    if looked.left:
        console.print(f"{looked.left} messages are left: their server took none of the ones before. Give the command again.", highlight=False)
    return not looked.failed


def send_test(settings: Settings, name: str | None, console: Console) -> bool:
    """`shelfcast alerts test`: return whether each server took its message.

    Raises
    ------
    ConfigurationError
        If there is no such rule.
    """
    company = _company(settings)
    chosen = [rule for rule in company.rules if name in {None, rule.name}]
    if not chosen:
        known = ", ".join(rule.name for rule in company.rules)
        raise ConfigurationError(f"Rule {name} is not in {FILE}: expected one of {known}." if known else _no_rule(company))
    for sentence in unknown_regions(company):
        console.print(f"[yellow]-[/] {escape(sentence)}", highlight=False, soft_wrap=True)
    rows = [try_out(company, rule, datetime.now(UTC), held_by) for rule in chosen]
    for row in rows:
        _show_message(row, console)
    return all(row["outcome"] == "delivered" for row in rows)


def _company(settings: Settings) -> Company:
    lake = Lake(settings.root, settings.storage_options)
    project = Project.of(lake)
    provider = load_provider(project.provider, base=lake.path())
    ui = ui_address(settings.trusted_proxy, settings.reports_url)
    return Company(lake, provider, project.gate.max_mape, project.alerts, project.expected, ui)


def _no_rule(company: Company) -> str:
    return f"Nobody is told: {company.lake.address(FILE)} has no rule under 'alerts'. See docs/operate.md, 'Alerts'."


def _show_rules(company: Company, console: Console) -> None:
    for sentence in unknown_regions(company):
        console.print(f"[yellow]-[/] {escape(sentence)}", highlight=False, soft_wrap=True)
    for rule in company.rules:
        try:
            where = shown(address_of(rule, held_by))
        except ConfigurationError as error:
            where = str(error)
        summary = f", weekly summary for {rule.weekly_summary}" if rule.weekly_summary else ""
        regions = f" of {', '.join(rule.regions)}" if rule.regions else ""
        told = f"{rule.at_least} and above{regions}{summary}"
        console.print(f"[bold]{escape(rule.name)}[/]: {escape(where)}; {escape(told)}", highlight=False, soft_wrap=True)


def _show_open(company: Company, alerts: Sequence[Alert], console: Console) -> None:
    if not company.rules:
        console.print(_no_rule(company), highlight=False, soft_wrap=True)
    if not alerts:
        console.print("No alert is open.")
    opened = Record.of(company.lake).open_causes()
    for alert in alerts:
        since = f" since {moment(opened[alert.cause]['event_time'])}" if alert.cause in opened else ""
        nobody = "; no rule asks for it" if company.rules and nobody_wants(alert, company.rules) else ""
        style = _STYLES[alert.severity]
        label = f"[{style}]{alert.severity}[/]" if style else alert.severity
        console.print(f"{label} {escape(alert.title)}{since}{nobody}", highlight=False, soft_wrap=True)
        for item in alert.items[:_MOST_ITEMS]:
            console.print(f"  - {escape(item.text)}", highlight=False, soft_wrap=True)
        if len(alert.items) > _MOST_ITEMS:
            console.print(f"  and {len(alert.items) - _MOST_ITEMS} more", highlight=False)


def _show_message(row: Row, console: Console) -> None:
    to = f"{row['rule']} ({row['address']})" if row["address"] else row["rule"]
    if row["outcome"] == "delivered":
        console.print(f"[green]taken[/] by {escape(to)}: {row['state']}, {escape(row['title'])}", highlight=False, soft_wrap=True)
    else:
        console.print(f"[red]not taken[/] by {escape(to)}: {escape(row['failure'] or '')}", highlight=False, soft_wrap=True)
