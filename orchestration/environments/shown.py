"""Settings, problems and releases as commands show them."""

from collections.abc import Callable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.environments.checked import problems
from orchestration.environments.release import Outcome, Wanted, promote_release
from orchestration.environments.sources import settings_with_sources
from orchestration.profiles import same_root
from orchestration.settings import Settings, known_profiles, profiles_file, settings_of
from orchestration.views.tables import by_whom, narrow_table
from transforms.records.model_registry import CHAMPION, REJECTED, RETIRED, WAITING

_STYLES = {"environment": "magenta", "profile": "cyan", "project file": "green", "default": "dim"}
_PRECEDENCE = (
    "What counts more: an environment variable, then the profile, then the project file, then the default. A profile's root, run history and landing "
    "are its own: no variable says otherwise."
)


def show_settings(settings: Settings, console: Console) -> None:
    """`shelfcast config show`."""
    table = narrow_table("Settings", {"setting": 20, "value": 20, "from": 12, "where": 12})
    for one in settings_with_sources(settings):
        style = _STYLES[one.source]
        table.add_row(escape(one.name), escape(one.value), f"[{style}]{one.source}[/]", escape(one.where))
    console.print(table)
    console.print(_PRECEDENCE, style="dim", soft_wrap=True)


def show_problems(root: str | None, console: Console) -> bool:
    """`shelfcast config check`; True where nothing is wrong."""
    known = known_profiles()
    if root is not None and not any(same_root(root, profile.root) for profile in known.values()):
        # Refuses what no lake root can be.
        settings_of(root)
    found = problems()
    for one in found:
        whose = f"[bold]{escape(one.profile)}[/]: " if one.profile else ""
        advice = f" [cyan]What to do:[/] {escape(one.advice)}." if one.advice else ""
        console.print(f"[bold red]-[/] {whose}{escape(one.what.rstrip('.'))}.{advice}", highlight=False, soft_wrap=True)
    what = f"{len(known)} profiles of {profiles_file()} ({', '.join(known)})" if known else "Settings of the environment, without profiles"
    console.print(f"{escape(what)}: {f'{len(found)} problems' if found else 'nothing is wrong'}.", highlight=False, soft_wrap=True)
    return not found


def show_release(wanted: Wanted, console: Console) -> bool:
    """`shelfcast promote-release`; False where a check speaks against it."""

    def tell(line: str) -> None:
        console.print(f"[dim]·[/] {escape(line)}", highlight=False, soft_wrap=True)

    outcome = promote_release(wanted, tell)
    _checks(outcome, console)
    _contents(outcome, console)
    if outcome.failed:
        console.print(f"[bold red]{len(outcome.failed)} checks speak against it[/]: nothing was released.", highlight=False)
    elif wanted.dry_run:
        console.print("Nothing speaks against it. Without --dry-run it would be released.", highlight=False)
    elif outcome.release_id:
        console.print(f"[bold]Release {outcome.release_id}[/] is in {escape(wanted.target)}, on record in gold/releases.", highlight=False)
        _decisions(outcome, console)
    else:
        console.print(f"{escape(wanted.target)} has all of this already: nothing to release.", highlight=False)
    return not outcome.failed


def _checks(outcome: Outcome, console: Console) -> None:
    table = narrow_table("Checks", {"check": 16, "passed": 6, "detail": 44})
    for check in outcome.checks:
        table.add_row(escape(check.name), "[green]yes[/]" if check.passed else "[bold red]no[/]", escape(check.detail))
    console.print(table)


def _contents(outcome: Outcome, console: Console) -> None:
    table = narrow_table("Release", {"what": 20, "value": 50})
    add: Callable[..., None] = table.add_row
    add("commit", escape(outcome.commit))
    add("training code", escape(outcome.code))
    for name, (before, after) in outcome.settings.items():
        add(escape(f"setting {name}"), escape(f"{before} -> {after}"))
    for version in outcome.candidates.versions:
        add("model", escape(version.model_version))
    for name, why in outcome.candidates.stay.items():
        add("stays behind", escape(f"{name}: {why}"))
    console.print(table)


def _decisions(outcome: Outcome, console: Console) -> None:
    last = {event.model_version: event for event in outcome.events if event.event in {CHAMPION, REJECTED, WAITING, RETIRED}}
    if not last:
        return
    table: Table = narrow_table("What the target's gate and policy say", {"model": 20, "state": 10, "by whom and why": 40})
    for name, event in last.items():
        table.add_row(escape(name), event.event, by_whom(event.actor, event.reason))
    console.print(table)
