"""Steps of the command line: initialise a root, take in what landed, run the weekly cycle, backfill.

Each step is one or a few Dagster runs; which slices they cover is decided here from the lake, never from the clock. How a run is
executed is a question for `runs`, what a step does for `orchestration.defs`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.history.steps import WHY
from orchestration.lifecycle.data_approval import review
from orchestration.lifecycle.retraining import ON_DEMAND
from orchestration.project import FILE, Project
from orchestration.runtime.backfill import go_through, through_already
from orchestration.runtime.provider_file import is_path, keep
from orchestration.runtime.runs import Runner
from orchestration.settings import held_by, profile_of, settings
from transforms.adapters import ProviderSpec, load_provider
from transforms.calendar import Region, SliceBlock, Week, blocks_of, weeks_between
from transforms.errors import ConfigurationError, DataNotApproved, MissingData
from transforms.fetching import Fetched, fetch
from transforms.lake.remote.working_copy import brought, refuse_half_restored
from transforms.lake.tables import Lake
from transforms.landing import (
    REFERENCES,
    Dropped,
    FileNotice,
    drop,
    first_weeks,
    folder,
    last_week,
    pending,
    pending_references,
    refused_files,
    regions,
    register,
    unfound,
    unfound_told,
)
from transforms.records.dataset_versions import latest_versions, usable


@dataclass(frozen=True)
class Progress:
    """Progress of a command as it is shown: `say` a line that stays, `busy` with something that the next line replaces."""

    say: Callable[[str], None]
    busy: Callable[[str], None]


@dataclass(frozen=True)
class Workspace:
    """A lake with its project and provider."""

    lake: Lake
    project: Project
    provider: ProviderSpec


def take_in(workspace: Workspace, runner: Runner, progress: Progress, chosen: Sequence[str] = ()) -> list[FileNotice]:
    """Fetch the provider's queries and objects, register what landed, and condition all that landing has and gold does not hold.

    That may be new, or an earlier run was interrupted.

    Returns
    -------
    list of FileNotice
        Files that stand in landing and cannot be taken in, or are still being written, and what could not be fetched; all others have been.
    """
    lake, provider = workspace.lake, workspace.provider
    # Where landing is another lake's, that one fetches.
    not_fetched = [] if lake.borrows_landing else fetch_sources(lake, provider, progress).left_out
    found = register(lake, provider, datetime.now(UTC), progress.busy, settings().quiet_seconds)
    for growing in found.growing:
        progress.say(growing.message)
    for notice in found.noticed:
        progress.say(f"{notice.source_file}: {notice.message}")
    if others := unfound(folder(lake, provider), provider):
        progress.say(unfound_told(others, "landing"))
    if pending_references(lake, provider):
        progress.say(f"conditioning {', '.join(REFERENCES)}")
        runner.execute_unpartitioned("reference_data")
    runner.register(regions(lake))
    wanted = {item for item in pending(lake, provider) if not chosen or str(item.region) in chosen}
    if wanted:
        blocks = _few_blocks(blocks_of(wanted))
        progress.say(f"conditioning {'; '.join(map(str, blocks))}")
        runner.execute("conditioning", blocks, {WHY: "landing files changed"})
    return [*(FileNotice("fetched", provider.name, message) for message in not_fetched), *found.growing, *refused_files(lake, provider)]


def fetch_sources(lake: Lake, provider: ProviderSpec, progress: Progress) -> Fetched:
    """Fetch what the provider's sources are fetched from into landing, and say what was written, what is odd and what was left out."""
    found = fetch(lake, provider, held_by, datetime.now(UTC).date(), progress.busy)
    for name in found.written:
        progress.say(f"fetched {name}")
    for message in (*found.noticed, *found.left_out):
        progress.say(message)
    return found


@dataclass(frozen=True)
class CycleResult:
    """Regions and weeks that were forecast, and why regions were left out."""

    forecast: SliceBlock
    blocked: list[str]


def run_cycle(
    workspace: Workspace,
    runner: Runner,
    first: Week,
    last: Week,
    chosen: Sequence[str],
    progress: Progress,
    retrain: bool = False,
    resume: bool = False,
) -> CycleResult:
    """Train, validate, forecast and watch with the weeks `first` to `last` as origins, then score what has landed of the target weeks.

    One origin comes after the other, since what is decided at one depends on how the forecasts of those before it turned out. With `retrain`
    everything is trained, whatever the need; with `resume` weeks are left out that a cycle went through already with the same data. Regions whose
    data wait for approval are left out, and so are those without deliveries so far, so that one region's bad week holds up no other.
    """
    lake = workspace.lake
    landed = last_week(lake)
    if landed is None or landed < last:
        raise MissingData(
            f"Week {last} has no shipments yet: the last week in the lake is {landed}. Drop its files into landing, or choose an earlier week."
        )
    begins = first_weeks(lake)
    if first < (earliest := min(begins.values())):
        raise MissingData(f"Week {first} lies before the first shipments in the lake, which are of {earliest}: choose that week or a later one.")
    progress.busy("checking data versions")
    wanted = known_regions(lake, chosen)
    if silent := [region for region in wanted if region not in begins or begins[region] > last]:
        progress.say(f"{', '.join(map(str, silent))}: no deliveries up to {last} yet, so there is nothing to forecast from")
    regions_ready, blocked = _approved(workspace, [region for region in wanted if region not in silent], first, last, progress)
    if blocked and not regions_ready:
        raise DataNotApproved("\n".join(blocked))
    if not regions_ready:
        raise MissingData(
            f"No deliveries up to {last} have landed for {', '.join(map(str, silent))}. Drop them into landing, or choose a later week."
        )
    for dataset in latest_versions(lake, regions_ready):
        if dataset.status != "approved":
            progress.say(f"{dataset.version} is {dataset.status}; {dataset.region} goes on with the version approved before: {dataset.reason}")
    # In a backfill regions join with their first week.
    joined = {week: tuple(region for region in regions_ready if begins[region] <= week) for week in weeks_between(first, last)}
    origins = [SliceBlock(regions, week, week) for week, regions in joined.items() if regions]
    through = through_already(lake, workspace.project, origins) if resume else set()
    go_through(runner, origins, through, min(landed, last + workspace.project.horizons), {ON_DEMAND: "asked for"} if retrain else {}, progress.say)
    return CycleResult(SliceBlock(regions_ready, first + 1, last + workspace.project.horizons), blocked)


def value_weather(workspace: Workspace, runner: Runner, week: Week, chosen: Sequence[str], progress: Progress) -> None:
    """Train and score each model with issued, realised and no weather."""
    runner.register(regions(workspace.lake))
    progress.say(f"measuring what accuracy owes to the weather, with {week} as origin")
    runner.execute("weather_report", [SliceBlock(known_regions(workspace.lake, chosen), week, week)])


def initialise(lake: Lake, spec: ProviderSpec, provider: str, horizons: int | None, landing: Path | None) -> Dropped:
    """Make a lake root and, where a folder is given, copy its files into landing.

    A lake that exists keeps its project file, and more files may be copied into it.

    Parameters
    ----------
    provider
        Name of the built-in provider, or path of the YAML that `spec` was read from.

    Raises
    ------
    ConfigurationError
        If the lake exists and has another provider, or other horizons than those asked for.
    """
    exists = brought(lake, FILE).exists()
    if exists:
        _refuse_other(lake, spec, horizons)
    else:
        refuse_half_restored(lake)
    dropped = drop(lake, spec, landing) if landing is not None else Dropped([], [])
    kept = keep(lake, Path(provider)) if is_path(provider) else provider
    if not exists:
        own = profile_of(lake.root)
        mark = {} if own is None else {"profile": own[0]}
        Project.model_validate({"provider": kept} | mark | ({} if horizons is None else {"horizons": horizons})).keep(lake)
    return dropped


def _refuse_other(lake: Lake, provider: ProviderSpec, horizons: int | None) -> None:
    """Keep what is decided about a lake that exists, by persons too: making it again resets nothing."""
    project, root = Project.written(lake), lake.root.rstrip("/")
    there = load_provider(project.provider, base=lake.path()).name
    if provider.name != there:
        raise ConfigurationError(
            f"{root} is a lake of provider {there!r} already, came {provider.name!r}: choose another --root. Nothing was changed."
        )
    if horizons not in {None, project.horizons}:
        raise ConfigurationError(
            f"{root} is a lake already and forecasts {project.horizons} weeks ahead, came --horizons {horizons}: write 'horizons: {horizons}' into "
            f"{root}/{FILE}, whose other settings stay. Nothing was changed."
        )


def _approved(workspace: Workspace, wanted: Sequence[Region], first: Week, last: Week, progress: Progress) -> tuple[tuple[Region, ...], list[str]]:
    """Regions whose data may be used at all these origins, and why the others may not."""
    review(workspace.lake, workspace.project, wanted, "shelfcast", progress.say)
    ready, blocked = [], []
    for region in wanted:
        try:
            for week in (first, last):
                usable(workspace.lake, region, week, workspace.project.history)
            ready.append(region)
        except DataNotApproved as error:
            blocked.append(str(error))
    return tuple(ready), blocked


def known_regions(lake: Lake, chosen: Sequence[str]) -> tuple[Region, ...]:
    """The regions of those names, or all; raise `ConfigurationError` for one that the lake does not have."""
    known = regions(lake)
    if unknown := sorted(set(chosen) - {str(region) for region in known}):
        raise ConfigurationError(f"Regions {unknown} have no stores in the lake: expected some of {', '.join(map(str, known))}.")
    return tuple(region for region in known if not chosen or str(region) in chosen)


def _few_blocks(blocks: list[SliceBlock]) -> list[SliceBlock]:
    """One rectangle around them all where that adds little: a region without deliveries in some week is no reason for a run of its own."""
    around = SliceBlock(
        tuple(sorted({region for block in blocks for region in block.regions})),
        min(block.first for block in blocks),
        max(block.last for block in blocks),
    )
    return [around] if around.size <= 1.5 * sum(block.size for block in blocks) else blocks
