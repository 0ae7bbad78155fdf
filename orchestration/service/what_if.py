"""What a plan would be if something about its week were otherwise: the data and the models that made it, asked again. Reads only, keeps nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.ensemble.artifacts import load
from models.serving.levers import Levers, known_part
from models.serving.what_if import Both, Side, compare
from orchestration.lifecycle.serving import panel_at
from orchestration.project import Project
from transforms.calendar import Week
from transforms.contracts.gold import FORECASTS
from transforms.errors import MissingData
from transforms.lake.remote.working_copy import brought
from transforms.lake.tables import Lake, day
from transforms.landing import named_region
from transforms.records.dataset_versions import log
from transforms.records.model_registry import versions_named
from transforms.rows import Row

__all__ = ["Levers", "WhatIf", "what_if"]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """An answer.

    Attributes
    ----------
    lines
        One for each store and product: `store_id`, `product_id` and, each as `before_` and as `after_`, expected, q10, q90, order, returns,
        lost_sales, service_level and usd.
    levers
        Those that were pulled: what the models cannot know is left out.
    members
        By kind of member of the models: the difference of expected units that it alone sees. Empty where they are not told apart.
    notes
        What of the question the models cannot know.
    """

    lines: list[Row]
    levers: Levers
    members: dict[str, float]
    notes: list[str]

    @property
    def pulled(self) -> bool:
        """Whether anything was otherwise."""
        return self.levers != Levers()


def what_if(
    lake: Lake, region: str, origin: Week, target: Week, levers: Levers, store: str | None = None, products: Sequence[str] | None = None
) -> WhatIf:
    """Ask the models that made a plan what it would be with levers pulled; that takes seconds.

    Parameters
    ----------
    store, products
        Of which the week is otherwise; all of the region's where None.

    Raises
    ------
    MissingData
        If there is no such plan, or what made it is not there any more.
    """
    where = named_region(lake, region)
    forecasts = lake.read(FORECASTS.name, where=f"region = '{where}' and origin_week = {day(origin)} and target_week = {day(target)}")
    for column, wanted in (("store_id", None if store is None else [store]), ("product_id", products)):
        if wanted is not None:
            forecasts = forecasts.filter(pc.is_in(forecasts[column], value_set=pa.array(wanted, pa.string())))
    if not forecasts.num_rows:
        raise MissingData(f"There is no forecast of {where} made at {origin} for {target} of what was chosen: choose another week, store or product.")
    lines: list[Row] = []
    members: dict[str, float] = {}
    notes: list[str] = []
    for version in pc.unique(forecasts["dataset_version"]).to_pylist():
        rows = forecasts.filter(pc.equal(forecasts["dataset_version"], version))
        known = [dataset for dataset in log(lake, [where]) if dataset.version == version]
        if not known:
            raise MissingData(f"{where}: data version {version}, from which the plan of {origin} was made, is not on record: run the origin again.")
        panel = panel_at(lake.at(known[-1].delta_versions), where, origin, Project.of(lake).sold_out)
        records = versions_named(lake, pc.unique(rows["model_version"]).to_pylist())
        models = {row["model_version"]: load(brought(lake, row["artifact_uri"]), row["sha256"]) for row in records}
        levers, unknown = known_part(panel, target - origin, levers)
        both = compare(panel, rows, models, levers)
        lines += _lines(rows, both)
        for name, moved in both.members.items():
            members[name] = members.get(name, 0.0) + float(moved.sum())
        notes += [note for note in unknown if note not in notes]
    return WhatIf(lines, levers, members, notes)


def _lines(rows: pa.Table, both: Both) -> list[Row]:
    keys = rows.select(["store_id", "product_id"]).to_pylist()
    columns = {**_columns("before", both.before), **_columns("after", both.after)}
    return [{**key, **{name: float(values[place]) for name, values in columns.items()}} for place, key in enumerate(keys)]


def _columns(prefix: str, side: Side) -> dict[str, npt.NDArray[Any]]:
    found: dict[str, npt.NDArray[Any]] = {
        "expected": side.points.expected,
        "q10": side.points.q10,
        "q90": side.points.q90,
        "order": side.orders.quantity,
        "returns": side.orders.expected_returns,
        "lost_sales": side.orders.expected_lost_sales,
        "service_level": side.orders.service_level,
        "usd": side.usd,
    }
    return {f"{prefix}_{name}": values for name, values in found.items()}
