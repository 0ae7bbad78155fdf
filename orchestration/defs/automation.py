"""What runs by itself: a sensor that watches landing, and the weekly cycle."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from orchestration.partitions import contiguous_blocks, range_tags, register_regions
from orchestration.resources import LakeResource
from transforms.calendar import Slice, blocks_of
from transforms.landing import Registration, ingested, pending, register

WEEKLY_CRON = "0 6 * * 3"
"""Wednesday, once carriers have settled the week before."""

conditioning = dg.define_asset_job(
    "conditioning",
    selection=dg.AssetSelection.groups("bronze", "staging", "silver", "gold").required_multi_asset_neighbors()
    - dg.AssetSelection.assets("bronze/stores", "bronze/products", "bronze/demographics", "bronze/events")
    - dg.AssetSelection.tag("stage", "reference"),
    description="Landing to gold for the slices, and how earlier forecasts for them turned out.",
)
