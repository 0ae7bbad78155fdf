"""Runs over many slices: the tags that make one, the blocks that one can cover, and with which week the partitions of a lake begin."""

from collections.abc import Iterable, Sequence

import dagster as dg

from orchestration.settings import settings
from transforms.calendar import Region, Slice, SliceBlock, Week
from transforms.lake.tables import Lake
from transforms.landing import first_landed_week

MANY_SLICES = 500
"""A run over more slices than this puts less on record for each of them: Dagster's bookkeeping would take longer than the work."""
MOST_PAGES = 1000
"""Slices of a run whose pages are given their numbers: a year of fourteen regions is."""

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

# With which week partitions begin before anything has landed.
_NOTHING_LANDED = Week.parse("2017-01-02")


def first_week() -> Week:
    """The week with which the partitions of the environment's lake begin: what is set, else the first that has landed."""
    current = settings()
    if current.first_week:
        return Week.parse(current.first_week)
    return first_landed_week(Lake(current.root, current.storage_options)) or _NOTHING_LANDED


def too_early(blocks: Iterable[SliceBlock], first: Week) -> str | None:
    """Say what to do where slices lie before the first week of the code location as it is loaded; None where none do."""
    early = [block.first for block in blocks if block.first < first]
    if not early:
        return None
    return (
        f"Week {min(early)} has landed, but the code location was loaded with {first} as its first week. Load it anew (in the UI: Deployment, "
        "Reload; at the command line: run the command again), and see that SHELFCAST_FIRST_WEEK, where it is set, is not later."
    )


def key_of(item: Slice) -> dg.MultiPartitionKey:
    """Partition key of a slice."""
    return dg.MultiPartitionKey({"region": str(item.region), "week": str(item.week)})


def range_tags(block: SliceBlock) -> dict[str, str]:
    """Run tags that make one run cover a whole block.

    Dagster expands the range in each dimension, regions in the order in which they were registered: see `contiguous_blocks`.
    """
    first, last = Slice(block.regions[0], block.first), Slice(block.regions[-1], block.last)
    return {RANGE_START: str(key_of(first)), RANGE_END: str(key_of(last))}


def contiguous_blocks(blocks: Iterable[SliceBlock], registered: Sequence[str]) -> list[SliceBlock]:
    """Split blocks so that each one's regions are neighbours in the order in which Dagster lists them; a range run then covers exactly them."""
    position = {name: index for index, name in enumerate(registered)}
    result: list[SliceBlock] = []
    for block in blocks:
        ordered = sorted(block.regions, key=lambda region: position[str(region)])
        group = [ordered[0]]
        for region in ordered[1:]:
            if position[str(region)] != position[str(group[-1])] + 1:
                result.append(SliceBlock(tuple(group), block.first, block.last))
                group = []
            group.append(region)
        result.append(SliceBlock(tuple(group), block.first, block.last))
    return result


def register_regions(instance: dg.DagsterInstance, regions: Iterable[Region]) -> list[str]:
    """Make regions known to Dagster and return those that are new."""
    known = set(instance.get_dynamic_partitions("region"))
    new = sorted({str(region) for region in regions} - known)
    if new:
        instance.add_dynamic_partitions("region", new)
    return new
