"""What forecasts and orders of one week would be if something about that week were otherwise: the same models, asked again with a changed panel.

What can be otherwise is in `models.serving.levers`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.ensemble.baselines import HistoricalAverage
from models.ensemble.ensemble import Ensemble
from models.members.distribution import Orders, Points
from models.serving.costs import Costs, costs_of
from models.serving.failover import Model
from models.serving.levers import Levers, changed
from models.serving.score import usable_forecast, without_ended
from transforms.arrays import Floats32, Floats64, Ints64
from transforms.errors import MissingData
from transforms.features.build import frame_at
from transforms.features.frame import Frame
from transforms.features.origin import Origin
from transforms.panel.panel import Panel

_AS_ON_RECORD = 1e-3
"""Largest difference, relative and in units, with which a forecast made again is still the one on record."""


@dataclass(frozen=True)
class Side:
    """Of each row: what is expected, what to order, and what a unit sold brings and one left over costs."""

    points: Points
    orders: Orders
    margin: Floats32
    return_cost: Floats32

    @property
    def usd(self) -> Floats64:
        """Expected margin of what is sold, less the cost of what is left over."""
        left = self.orders.expected_returns.astype(np.float64)
        return np.asarray(self.margin * (self.orders.quantity - left) - self.return_cost * left)


@dataclass(frozen=True)
class Both:
    """The rows as they are and as they would be, and what each kind of member alone says that the difference of expected units is."""

    before: Side
    after: Side
    members: dict[str, Floats64]


def compare(panel: Panel, forecasts: pa.Table, models: Mapping[str, Model], levers: Levers) -> Both:
    """Make the forecasts of one target week again, as they are and as they would be.

    Parameters
    ----------
    panel
        The region's panel that ends at the origin, made from the data that the forecasts were made from.
    forecasts
        Rows of gold/forecasts of one region, origin and target week.
    models
        By model version; a version that is not there was no model of record but the average over the panel.

    Raises
    ------
    MissingData
        If the models do not say what the forecasts say: data or code are no longer those that made them.
    """
    horizon = int(forecasts["horizon"][0].as_py())
    frame, rows, series = _rows(panel, forecasts, horizon)
    after = changed(panel, horizon, series, levers)
    _, new_rows, _ = _rows(after, forecasts, horizon) if after is not panel else (frame, rows, series)
    costs = costs_of(panel, rows)
    new_costs = costs._replace(margin=_margin(panel, rows, costs, levers))
    ended = forecasts["ended"].is_valid().to_numpy()
    sides: list[list[tuple[npt.NDArray[np.intp], Points, Orders]]] = [[], []]
    members: dict[str, Floats64] = {}
    for of_model, model in _by_model(panel, frame, rows, forecasts, models):
        asked = ((rows, costs), (new_rows, _reckoned(new_costs, levers)))
        for side, (of, reckoned) in zip(sides, asked, strict=True):
            mine = Costs(*(values[of_model] for values in reckoned))
            side.append((of_model, *without_ended(*usable_forecast(of.take(of_model), mine, model), ended[of_model])))
        for name, moved in _by_member(model, rows.take(of_model), new_rows.take(of_model)).items():
            members.setdefault(name, np.zeros(len(rows)))[of_model] = moved * ~ended[of_model]
        _check(sides[0][-1][1].expected, forecasts["expected"].to_numpy()[of_model])
    made, remade = (_joined(side, len(rows)) for side in sides)
    return Both(Side(*made, costs.margin, costs.return_cost), Side(*remade, new_costs.margin, new_costs.return_cost), members)


def _rows(panel: Panel, forecasts: pa.Table, horizon: int) -> tuple[Frame, Frame, Ints64]:
    """All rows of the target week, those of the forecasts in their order, and the series of these."""
    frame = frame_at(Origin(panel), [horizon])
    keys = zip(panel.stores[panel.store[frame.series]].tolist(), panel.products[panel.product[frame.series]].tolist(), strict=True)
    lookup = {key: row for row, key in enumerate(keys)}
    try:
        wanted = zip(forecasts["store_id"].to_pylist(), forecasts["product_id"].to_pylist(), strict=True)
        place = np.asarray([lookup[key] for key in wanted], np.int64)
    except KeyError as error:
        raise MissingData(f"{panel.region}: {error.args[0]} is no series at {panel.last}. {_CHANGED}") from None
    rows = frame.take(place)
    return frame, rows, rows.series.astype(np.int64)


_CHANGED = "The plan cannot be asked about, since data or code are no longer those that made it: run its origin again ('shelfcast run --week')."


def _margin(panel: Panel, rows: Frame, costs: Costs, levers: Levers) -> Floats32:
    """What a unit sold brings, after the discount; products without a price keep theirs."""
    price = np.nan_to_num(panel.product_number["price"][panel.product[rows.series]])
    cut = levers.discount if levers.promotion else 0.0
    return np.asarray(costs.margin - np.float32(cut) * price, np.float32)


def _reckoned(costs: Costs, levers: Levers) -> Costs:
    """Costs by which orders are chosen: a unit sold at a loss is not worth more than none, and a service level is a ratio of the two costs."""
    margin = np.maximum(costs.margin, 0)
    if levers.service_level is None:
        return costs._replace(margin=margin)
    both = np.maximum(margin + costs.return_cost, np.float32(1e-6))
    level = np.float32(levers.service_level)
    return costs._replace(margin=both * level, return_cost=both * (1 - level))


def _by_model(panel: Panel, frame: Frame, rows: Frame, forecasts: pa.Table, models: Mapping[str, Model]) -> list[tuple[npt.NDArray[np.intp], Model]]:
    """Rows by what made them. A segment is a format and a mover; what serves two of them with one name need not be one model."""
    versions = forecasts["model_version"].to_pylist()
    served = np.asarray([f"{version} {large} {fast}" for version, large, fast in zip(versions, rows.large, rows.fast, strict=True)])
    found: list[tuple[npt.NDArray[np.intp], Model]] = []
    for name in np.unique(served):
        of_model = np.flatnonzero(served == name)
        first = of_model[0]
        segment = frame.take((frame.large == rows.large[first]) & (frame.fast == rows.fast[first]))
        found.append((of_model, models.get(versions[first]) or HistoricalAverage.fit(panel, segment)))
    return found


def _by_member(model: Model, rows: Frame, new_rows: Frame) -> dict[str, Floats64]:
    """What each member alone says that the difference of expected units is; nothing where there are not several."""
    if not isinstance(model, Ensemble) or len(model.members) < 2:
        return {}
    one = np.ones(1, np.float32)
    alone = {member.name: replace(model, members=[member], size_weights=one, chance_weights=one) for member in model.members}
    return {name: _expected(single, new_rows) - _expected(single, rows) for name, single in alone.items()}


def _expected(model: Ensemble, rows: Frame) -> Floats64:
    return model.points(model.predict(rows), rows).expected.astype(np.float64)


def _check(made: Floats32, on_record: Floats64) -> None:
    if not np.allclose(made, on_record, rtol=_AS_ON_RECORD, atol=_AS_ON_RECORD):
        worst = int(np.argmax(np.abs(made - on_record)))
        raise MissingData(f"The model now expects {made[worst]:.3f} where {on_record[worst]:.3f} is on record. {_CHANGED}")


def _joined(parts: list[tuple[npt.NDArray[np.intp], Points, Orders]], count: int) -> tuple[Points, Orders]:
    """Parts of the rows in the order of all of them."""
    order = np.argsort(np.concatenate([of_model for of_model, _, _ in parts]), kind="stable")
    assert len(order) == count  # noqa: S101 - each row has one model
    points, orders = ([part[kind] for part in parts] for kind in (1, 2))
    return (
        Points(**{name: np.concatenate([getattr(part, name) for part in points])[order] for name in vars(points[0])}),
        Orders(**{name: np.concatenate([getattr(part, name) for part in orders])[order] for name in vars(orders[0])}),
    )
