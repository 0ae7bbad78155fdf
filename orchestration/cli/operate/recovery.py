"""`shelfcast backup`, `restore` and `doctor`: what `transforms.lake.backup` copies and what it means for recovery, and what is mended without it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape

from orchestration.cli.session import session
from orchestration.project import FILE, Project
from orchestration.reports.doctor import Finding, busy, examine
from orchestration.reports.report import plain
from orchestration.runtime.cycle import take_in
from orchestration.runtime.provider_file import take_in_provider
from orchestration.settings import Settings, vault_options
from orchestration.views.doctor import found_in, show_findings, show_mended
from orchestration.views.tables import size_text
from transforms.adapters import load_provider
from transforms.errors import AuditFailed
from transforms.lake.backup import Backup, back_up, damage, read_backup, restore_lake
from transforms.lake.backup_log import note_backup
from transforms.lake.lease import lease
from transforms.lake.remote.working_copy import brought
from transforms.lake.tables import Lake
from transforms.lake.vaults import vault_at
from transforms.records.audit import heads_of, verify_tables


def back_up_root(settings: Settings, place: str, console: Console) -> Backup:
    """Back up the root of `settings` and note it there."""
    started, lake = time.monotonic(), Lake(settings.root, settings.storage_options)
    vault = vault_at(place, vault_options(place))
    if brought(lake, FILE).exists():
        take_in_provider(lake, plain(console))
    # Maintenance removes files of past versions, which a backup copies.
    with lease(lake, "files", "shelfcast backup", plain(console)):
        heads = heads_of(lake)
        made = back_up(lake, vault, heads, datetime.now(UTC))
    backup = made.backup
    note_backup(lake, backup, vault)
    total = sum(entry.size for entry in backup.entries)
    console.print(
        f"Backup [bold]{backup.name}[/] in {escape(vault.address)}: {len(backup.entries):,} files, {size_text(total)}; "
        f"new: {made.new_files:,} files, {size_text(made.new_bytes)}; "
        f"{len(backup.tables)} tables, newest commit {_time(backup.last_commit)}; {time.monotonic() - started:.1f} s.",
        highlight=False,
        soft_wrap=True,
    )
    return backup


def check_backup(place: str, name: str | None, console: Console) -> None:
    """Verify a backup's contents; raise `AuditFailed` if one is damaged."""
    vault = vault_at(place, vault_options(place))
    backup = read_backup(vault, name)
    if wrong := damage(vault, backup):
        raise AuditFailed(f"Backup {backup.name} is damaged in {len(wrong)} files; first: {wrong[0]}.")
    console.print(f"Backup {backup.name} is intact: {len(backup.entries):,} files hash to what was copied.", highlight=False, soft_wrap=True)


def restore_root(settings: Settings, place: str, name: str | None, console: Console) -> bool:
    """Make the root from a backup; return whether the record in it is intact and leads through the heads in the manifest."""
    started, lake = time.monotonic(), Lake(settings.root, settings.storage_options)
    vault = vault_at(place, vault_options(place))
    backup = read_backup(vault, name)
    aside = restore_lake(vault, backup, lake)
    findings = [f"{audit.table}: {finding}" for audit in verify_tables(lake, backup.heads) for finding in audit.findings]
    state = "its record is as it was written" if not findings else f"{len(findings)} findings in its record"
    console.print(
        f"Restored {escape(lake.root)} from backup [bold]{backup.name}[/]: {len(backup.entries):,} files verified, {state}.\n"
        f"Recovery point: {_time(backup.made_at)}, newest commit {_time(backup.last_commit)}; what was committed later is lost. "
        f"Recovery time: {time.monotonic() - started:.1f} s.",
        highlight=False,
        soft_wrap=True,
    )
    if aside:
        console.print(f"What this machine had of that root, its run history among it, lies in {escape(aside)} now.", highlight=False, soft_wrap=True)
    for finding in findings:
        console.print(f"  {escape(finding)}", style="red", highlight=False, soft_wrap=True)
    return not findings


def doctor_root(settings: Settings, mend: bool, console: Console) -> bool:
    """Find what is left over, mend it where asked for, and return whether nothing is left that anybody has to do something about."""
    lake = Lake(settings.root, settings.storage_options)
    provider = load_provider(Project.of(lake).provider, base=lake.path())

    def condition_what_waits() -> str:
        with session(settings, False, console, "shelfcast doctor --mend") as (workspace, runner, progress):
            take_in(workspace, runner, progress)
        return "conditioned"

    if mend:
        with lease(lake, "cycle", "shelfcast doctor --mend", plain(console)), lease(lake, "decisions", "shelfcast doctor --mend", plain(console)):
            _mend(lambda: examine(lake, provider), console)
        # Conditioning takes the lease on decisions itself, step by step.
        with lease(lake, "cycle", "shelfcast doctor --mend", plain(console)):
            _mend(lambda: found_in(lake, provider, condition_what_waits), console)
    left = found_in(lake, provider, condition_what_waits)
    show_findings(left, busy(lake), console)
    return not left


def _mend(look: Callable[[], list[Finding]], console: Console) -> None:
    """Mend until nothing new is found: behind a table that could not be read there may be more."""
    done: set[str] = set()
    while wanted := [finding for finding in look() if finding.mend is not None and finding.what not in done]:
        for finding in wanted:
            if finding.mend is not None:
                show_mended(finding, finding.mend(), console)
            done.add(finding.what)


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "none"
