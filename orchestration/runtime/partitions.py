"""The two partition dimensions, region and week, and the way from Dagster's keys to slices. Defined here and nowhere else.

The first week is that of the lake whose code location is loaded, so this module is imported after landing has been looked at: with the code location.
What runs are made with is in `orchestration.runtime.ranges`.
"""

from collections.abc import Mapping

import dagster as dg

from orchestration.runtime.ranges import first_week
from transforms.calendar import Region, Slice, Week

REGIONS = dg.DynamicPartitionsDefinition(name="region")
"""Regions appear when their data land; the landing sensor and the command line register them."""

FIRST_WEEK = first_week()
# Sunday is day 0, so day 1 is Monday.
WEEKS = dg.WeeklyPartitionsDefinition(start_date=str(FIRST_WEEK), day_offset=1)
REGION_WEEK = dg.MultiPartitionsDefinition({"region": REGIONS, "week": WEEKS})


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
