"""What the commands about the record show: reproduction, traces, verification. Reads the lake, renders reports, tells whether all is well."""

import hashlib
import re
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape

from orchestration.reports.audit import audit_report, verification
from orchestration.reports.maturity import EvidenceSources, assess, maturity_report
from orchestration.reports.report import Report, Section, show, write_page
from orchestration.reports.reproduce import Reproduction, reproduce
from orchestration.settings import Settings
from transforms.calendar import Region, Week
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.records.audit import Heads

_HEAD = re.compile(r"([a-z]+/[a-z_]+)@(\d+):([0-9a-f]{64})")


def show_reproduction(settings: Settings, region: str, week: str, segment: str | None, console: Console) -> bool:
    """`shelfcast reproduce`: return whether everything came out identical."""
    found = reproduce(Lake(settings.root, settings.storage_options), Region(region), Week.parse(week), segment)
    same = sum(one.identical for one in found)
    rows = [row for one in found for row in _reproduced(one)]
    lead = f"{same} of {len(found)} models come out identical in parameters and forecasts, from the recorded data versions, settings and seeds."
    changed = sorted({difference for one in found for difference in one.differences})
    sections = [Section("Models", ["model", "what", "outcome", "SHA-256 recorded", "SHA-256 now", "forecasts"], rows)]
    if changed:
        sections.append(Section("Not as it was at training", ["what"], [[difference] for difference in changed]))
    elif same < len(found):
        sections.append(Section("Not as it was at training", ["what"], [["nothing on record: code, libraries and kind of machine are the same"]]))
    show(Report(f"{region} at {week}, trained again", lead, sections), console)
    return same == len(found)


def _reproduced(one: Reproduction) -> list[list[object]]:
    if one.outcome is None:
        return [[one.model_version, "parameters", "missing", "-", "not trained now: too little history", None]]
    outcome = one.outcome
    return [
        [one.model_version, "parameters", _same(outcome.same_parameters), *(value[:16] for value in outcome.parameters), None],
        ["", "forecasts", _same(outcome.same_forecasts), *(value[:16] for value in outcome.forecasts), outcome.rows],
    ]


def _same(is_same: bool) -> str:
    return "identical" if is_same else "different"


def show_trace(settings: Settings, make: Callable[[Lake], Report], page: bool, console: Console) -> None:
    """`shelfcast trace ...`: print the report, and write it as a page where asked for."""
    lake = Lake(settings.root, settings.storage_options)
    report = make(lake)
    show(report, console)
    if page:
        # The lead names what was traced, so the same trace has the same page.
        name = re.sub(r"[^a-z0-9]+", "-", report.title.lower()).strip("-")
        digest = hashlib.sha256(f"{report.title} {report.lead}".encode()).hexdigest()[:8]
        path = write_page(report, lake, "trace", f"{name}-{digest}.html")
        console.print(f"\nPage: {escape(str(path))}", highlight=False, soft_wrap=True)


def show_verification(settings: Settings, heads: Sequence[str], every: bool, console: Console) -> bool:
    """`shelfcast audit verify`: return whether the record is as it was written."""
    found = verification(Lake(settings.root, settings.storage_options), _parsed(heads), every)
    lead = f"{len(found.findings)} findings: the record is not as it was written."
    if found.intact:
        unlinked = "No commit is linked yet: nothing is on record, or it was written before there were links; the next one on each table seals it."
        lead = "The record is as it was written." if found.heads else unlinked
    show(Report("Audit of the record", lead, found.sections), console)
    console.print(
        "Heads, to be kept elsewhere (shelfcast audit verify --head HEAD tells whether the record still leads through them):", soft_wrap=True
    )
    for line in found.heads:
        console.print(f"  {line}", highlight=False, soft_wrap=True)
    return found.intact


def write_audit_page(settings: Settings, console: Console) -> None:
    """`shelfcast audit page`."""
    lake = Lake(settings.root, settings.storage_options)
    report, _ = audit_report(lake)
    console.print(f"Page: {escape(str(write_page(report, lake, 'audit', 'index.html')))}", highlight=False, soft_wrap=True)


def show_maturity(settings: Settings, console: Console) -> None:
    """`shelfcast maturity`."""
    report, _ = maturity_report(assess(EvidenceSources(Lake(settings.root, settings.storage_options))))
    show(report, console)


def _parsed(heads: Sequence[str]) -> Heads:
    found = {}
    for head in heads:
        match = _HEAD.fullmatch(head)
        if match is None:
            raise ConfigurationError(f"--head {head!r}: expected table@version:hash as 'shelfcast audit verify' prints it.")
        found[match[1]] = (int(match[2]), match[3])
    return found
