"""The two partition dimensions, region and week, and the way between Dagster's keys and slices. Defined here and nowhere else."""

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from transforms.calendar import FIRST_WEEK, Region, Slice, SliceBlock, Week

REGIONS = dg.DynamicPartitionsDefinition(name="region")
"""Regions appear when their data land; the landing sensor and the command line register them."""

# Sunday is day 0, so day 1 is Monday.
WEEKS = dg.WeeklyPartitionsDefinition(start_date=FIRST_WEEK, day_offset=1)
REGION_WEEK = dg.MultiPartitionsDefinition({"region": REGIONS, "week": WEEKS})

MANY_SLICES = 500
"""A run over more slices than this puts less on record for each of them: Dagster's bookkeeping would take longer than the work."""

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def earlier_weeks(first: int, last: int) -> dg.MultiPartitionMapping:
    """Each slice depends on its own region's weeks from `first` to `last`, counted from its week (-4, -1: the four weeks before)."""
    weeks = dg.TimeWindowPartitionMapping(start_offset=first, end_offset=last, allow_nonexistent_upstream_partitions=True)
    return dg.MultiPartitionMapping(
        {
            "region": dg.DimensionPartitionMapping("region", dg.IdentityPartitionMapping()),
            "week": dg.DimensionPartitionMapping("week", weeks),
        }
    )


def slice_of(key: str) -> Slice:
    """Turn a partition key (`region|week`) into a slice, refusing anything but two plain keys."""
    parsed = REGION_WEEK.get_partition_key_from_str(key)
    dimensions: Mapping[str, str] = parsed.keys_by_dimension
    return Slice(Region(dimensions["region"]), Week.parse(dimensions["week"]))


def slices_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[Slice]:
    """The slices that a run is for, sorted."""
    return sorted(slice_of(key) for key in context.partition_keys)


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
