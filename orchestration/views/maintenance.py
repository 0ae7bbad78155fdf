"""`shelfcast maintain`: what was done, or would be, as a table."""

from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.project import Project
from orchestration.reports.report import plain
from orchestration.runtime.instance import FILE, open_instance
from orchestration.runtime.run_logs import NOTHING, RemovedLogs, remove_old_logs
from orchestration.settings import Settings
from orchestration.views.tables import size_text
from transforms.lake.tables import Lake
from transforms.records.upkeep import Upkeep, maintain


def show_maintenance(settings: Settings, dry_run: bool, console: Console) -> None:
    """Maintain a lake and show it; with `dry_run` change nothing and show what would be done."""
    lake, now = Lake(settings.root, settings.storage_options), datetime.now(UTC)
    rules = Project.of(lake).maintenance
    done = maintain(lake, rules.rules, now, dry_run, plain(console))
    logs = NOTHING
    if lake.path("dagster", FILE).is_file():
        with open_instance(lake.path(), False, plain(console)) as instance:
            logs = remove_old_logs(instance, now - timedelta(days=rules.run_log_days), dry_run)
    _show_tables(done, dry_run, console)
    _show_kinds(done, logs, console)
    would = "would be" if dry_run else "were"
    if logs.events:
        console.print(f"{logs.events:,} events of these runs, which later ones wrote over, {would} removed from the run history.", highlight=False)
    for found in (found for kind in done.kinds if kind.name.startswith("left") for found in kind.removed):
        console.print(f"  {escape(found.path.relative_to(lake.path()).as_posix())}", highlight=False, soft_wrap=True)
    for name in logs.compacted:
        console.print(f"{name} {'would be' if dry_run else 'was'} written anew without its free pages.", highlight=False)
    console.print(
        f"{'Would free' if dry_run else 'Freed'} {size_text(done.freed + logs.size)}. Every version of a table stays readable for {rules.keep_days} "
        f"days, every model with its data {_long(rules.keep_weeks)}; reports stay for {rules.report_weeks} weeks, logs of runs for "
        f"{rules.run_log_days} days.",
        highlight=False,
        soft_wrap=True,
    )


def _long(weeks: int | None) -> str:
    return "for good" if weeks is None else f"for {weeks} weeks, those in service for good"


def _show_kinds(done: Upkeep, logs: RemovedLogs, console: Console) -> None:
    table = Table(title="Beside the tables")
    table.add_column("what", no_wrap=True)
    for name in ("found", "size", "kept", "removed", "freed"):
        table.add_column(name, justify="right", no_wrap=True)
    for kind in done.kinds:
        gone = len(kind.removed)
        table.add_row(kind.name, f"{kind.files:,}", size_text(kind.size), f"{kind.files - gone:,}", f"{gone:,}", size_text(kind.freed))
    table.add_row("logs of runs that ended long ago", f"{logs.files:,}", size_text(logs.size), "0", f"{logs.files:,}", size_text(logs.size))
    console.print(table)


def _show_tables(done: Upkeep, dry_run: bool, console: Console) -> None:
    table = Table(title="Maintenance, tried only: nothing is changed" if dry_run else "Maintenance")
    table.add_column("table", no_wrap=True)
    for name in ("files before", "size before", "merged", "checkpoint", "removed", "freed"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in done.tables:
        numbers = (f"{row.files:,}", size_text(row.size), f"{row.merged:,}", "yes" if row.checkpoint else "", f"{len(row.removed):,}")
        table.add_row(row.table, *numbers, size_text(row.freed))
    files, size = sum(row.files for row in done.tables), sum(row.size for row in done.tables)
    merged, made = sum(row.merged for row in done.tables), sum(row.checkpoint for row in done.tables)
    removed, freed = sum(len(row.removed) for row in done.tables), sum(row.freed for row in done.tables)
    table.add_row("all", f"{files:,}", size_text(size), f"{merged:,}", str(made), f"{removed:,}", size_text(freed), style="bold")
    console.print(table)
    for row in done.tables:
        if row.left:
            console.print(f"  [yellow]-[/] {escape(f'{row.table}: {row.left}')}", highlight=False, soft_wrap=True)
