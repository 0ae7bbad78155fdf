"""What the commands about the record show: reproduction, trace, audit, maturity. Reads the lake, renders reports, decides exit codes."""

from rich.console import Console

from orchestration.report import Report, Section, show
from orchestration.reproduce import Reproduction, reproduce
from orchestration.settings import Settings
from transforms.calendar import Region, Week
from transforms.lake import Lake


def show_reproduction(settings: Settings, region: Region, week: Week, segment: str | None, console: Console) -> bool:
    """`shelfcast reproduce`: return whether everything came out identical."""
    found = reproduce(Lake(settings.root, settings.storage_options), region, week, segment)
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


