"""`shelfcast doctor`: show what was found and what was done about it."""

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape

from orchestration.reports.doctor import Finding, busy, examine, hides_more, wedged
from transforms.adapters import ProviderSpec
from transforms.lake.tables import Lake

_WAITING = "wedged slices"


def found_in(lake: Lake, provider: ProviderSpec, condition: Callable[[], str]) -> list[Finding]:
    """All findings; what waits to be conditioned is among them unless tables cannot be read or somebody works on it."""
    found = examine(lake, provider)
    if not busy(lake) and not hides_more(found) and (left := wedged(lake, provider)):
        found.append(Finding(_WAITING, f"taken in and not conditioned: {left}", "'shelfcast run' conditions them", condition))
    return found


def show_findings(findings: Sequence[Finding], under_way: str, console: Console) -> None:
    """A line for each finding, with what to do."""
    if under_way:
        _say(console, f"{under_way} changes the lake: what it has begun is not looked at.")
    for finding in findings:
        how = "'shelfcast doctor --mend' does it" if finding.mend is not None else "a person has to"
        _say(console, f"{finding.kind}: {finding.what.removesuffix('.')}. To do: {finding.to_do.removesuffix('.')} ({how}).")
    if not findings:
        _say(console, "Nothing is left over.")


def show_mended(finding: Finding, did: str, console: Console) -> None:
    """What was done about a finding."""
    _say(console, f"{finding.kind}: {finding.what.removesuffix('.')}. Done: {did.removesuffix('.')}.")


def _say(console: Console, line: str) -> None:
    console.print(escape(line), highlight=False, soft_wrap=True)
