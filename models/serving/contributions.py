"""Why a forecast is what it is: contributions of groups of features that add up to the expected demand.

The model itself is asked what it would expect if it knew some of the groups and nothing of the others, for every set of groups; a group's
contribution is its Shapley value (Shapley 1953), which shares out interactions evenly and adds up by construction. What is not known says nothing:
numbers have their mean over the rows that the model was trained on, categories were never seen, case packs are unknown, and there were no recent
deliveries. So the reference, from which contributions are counted, is what the segment's model expects of a series that it knows nothing about.

`returns` works through the other features, since deliveries count net of returns: without it, they are those of a panel to which no return was known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.ensemble.baselines import HistoricalAverage
from models.ensemble.ensemble import Ensemble
from transforms.arrays import Bools, Floats64, Ints64
from transforms.contracts.gold import CONTRIBUTIONS
from transforms.errors import MissingData
from transforms.features.build import frame_at, scoring_frame
from transforms.features.catalogue import features_named, last_sizes
from transforms.features.feature import GROUPS, Group
from transforms.features.frame import Frame
from transforms.features.origin import Origin
from transforms.features.past import LOG_MEAN_LIFE, LOG_SIZE_LIFE, RATE_LIFE
from transforms.panel.panel import Coded, Panel

PLACES = 6
"""Decimals of `expected` in gold/forecasts; contributions have as many, so that they add up to it exactly."""
_CHANGED = "The forecast cannot be explained, since data or code are no longer those that made it: run its origin again ('shelfcast run --week')."
_UNSEEN = np.asarray(["~unseen"])


@dataclass(frozen=True)
class Contributions:
    """Of each row: what the model expects knowing nothing, and what each group adds; (rows,) and (rows, groups), in units."""

    reference: Floats64
    groups: Floats64

    @property
    def expected(self) -> Floats64:
        """The forecast: the sum."""
        return np.asarray(np.round(self.reference + self.groups.sum(axis=1), PLACES))


def contributions(panel: Panel, forecasts: pa.Table, models: Mapping[str, Ensemble | HistoricalAverage]) -> pa.Table:
    """Explain rows of gold/forecasts of one region and origin.

    Parameters
    ----------
    panel
        The region's panel that ends at the origin, made from the data that the forecasts were made from.
    models
        By model version; a version that is not there was no model of record but the average over the panel.

    Returns
    -------
    pyarrow.Table
        Rows of gold/contributions.

    Raises
    ------
    MissingData
        If the models do not say what the forecasts say: data or code are no longer those that made them.
    """
    if not forecasts.num_rows:
        return CONTRIBUTIONS.schema.empty_table()
    frame = scoring_frame(panel, pc.max(forecasts["horizon"]).as_py())
    place = _places(panel, frame, forecasts)
    rows = frame.take(place)
    gross, expected = without_returns(panel, rows), forecasts["expected"].to_numpy()
    # Of a series that has ended nothing is expected whatever the model says: there is nothing to share out.
    goes_on = forecasts["ended"].is_null().to_numpy()
    # A segment is a format and a mover; what serves two of them with one name need not be one model.
    served = np.asarray(
        [f"{version} {large} {fast}" for version, large, fast in zip(forecasts["model_version"].to_pylist(), rows.large, rows.fast, strict=True)]
    )
    reference, groups = np.zeros(len(rows)), np.zeros((len(rows), len(GROUPS)))
    for name in np.unique(served[goes_on]):
        of_model = np.flatnonzero((served == name) & goes_on)
        mine = rows.take(of_model)
        segment = frame.take((frame.large == mine.large[0]) & (frame.fast == mine.fast[0]))
        model = models.get(name.split()[0]) or HistoricalAverage.fit(panel, segment)
        found = explain(model, mine, gross.take(of_model), expected[of_model])
        reference[of_model], groups[of_model] = found.reference, found.groups
    shares: dict[str, Floats64] = {group: groups[:, index] for index, group in enumerate(GROUPS)}
    columns: dict[str, Any] = {**{name: forecasts[name] for name in (*CONTRIBUTIONS.key, "expected")}, "reference": reference, **shares}
    return pa.table({name: columns[name] for name in CONTRIBUTIONS.names}).cast(CONTRIBUTIONS.schema)


def _places(panel: Panel, frame: Frame, forecasts: pa.Table) -> Ints64:
    """Row of the frame for each forecast."""
    lookup = {
        (store, product, horizon): row
        for row, (store, product, horizon) in enumerate(
            zip(
                panel.stores[panel.store[frame.series]].tolist(),
                panel.products[panel.product[frame.series]].tolist(),
                frame.horizon.tolist(),
                strict=True,
            )
        )
    }
    wanted = zip(*(forecasts[name].to_pylist() for name in ("store_id", "product_id", "horizon")), strict=True)
    try:
        return np.asarray([lookup[key] for key in wanted], np.int64)
    except KeyError as error:
        raise MissingData(f"{panel.region}: {error.args[0]} is no series at {panel.last}. {_CHANGED}") from None


def explain(model: Ensemble | HistoricalAverage, rows: Frame, gross: Frame, expected: Floats64) -> Contributions:
    """Share the expected demand of each row out among the groups.

    Parameters
    ----------
    rows
        The rows as they were forecast.
    gross
        The same rows made without any return; see `without_returns`.
    expected
        What was forecast, rounded to PLACES.
    """
    returned = bool(_differ(rows, gross).any())
    players = [group for group in GROUPS if group != "returns" or returned or _in_group(rows, "returns")]
    # No deliveries were changed by a return: half of the sets need not be asked for.
    worth = {
        frozenset(known): _expected(model, _knowing(model, rows, gross, known))
        for size in range(len(players) + 1)
        for known in combinations(players, size)
    }
    if not np.allclose(worth[frozenset(players)], expected, rtol=1e-3, atol=1e-3):
        worst = int(np.argmax(np.abs(worth[frozenset(players)] - expected)))
        raise MissingData(f"The model now expects {worth[frozenset(players)][worst]:.3f} where {expected[worst]:.3f} is on record. {_CHANGED}")
    shares = np.column_stack([_shapley(worth, group, players) for group in GROUPS])
    return _exact(worth[frozenset()], shares, expected)


def without_returns(panel: Panel, rows: Frame) -> Frame:
    """The rows of a scoring frame made from the same panel with no return known to it."""
    if not len(panel.returns.series):
        return rows
    nothing = panel.returns.take(np.zeros(len(panel.returns.series), bool))
    origin = Origin(replace(panel, returns=nothing))
    place = np.searchsorted(origin.alive, rows.series)
    order = np.argsort(rows.horizon, kind="stable")
    horizons = range(1, int(rows.horizon.max()) + 1)
    return frame_at(origin, horizons, [place[rows.horizon == horizon] for horizon in horizons]).take(np.argsort(order, kind="stable"))


def _expected(model: Ensemble | HistoricalAverage, rows: Frame) -> Floats64:
    return model.points(model.predict(rows), rows).expected.astype(np.float64)


def _knowing(model: Ensemble | HistoricalAverage, rows: Frame, gross: Frame, known: Sequence[Group]) -> Frame:
    """The rows with the values of the groups in `known`, gross where returns are not among them, and nothing else."""
    source = rows if "returns" in known else gross
    is_known = {feature.name: feature.group in known for feature in features_named([*rows.names, *rows.categorical])}
    visible = np.asarray([is_known[name] for name in rows.names])
    usual = model.encoder.mean if isinstance(model, Ensemble) else np.zeros(len(rows.names), np.float32)
    known_rows = replace(
        source,
        numeric=np.where(visible, source.numeric, usual),
        categorical={name: column if is_known[name] else _unseen(column) for name, column in source.categorical.items()},
    )
    return known_rows if last_sizes()[0].group in known else _without_history(known_rows)


def _without_history(rows: Frame) -> Frame:
    """The rows with no deliveries, of unknown case packs, and with the averages that their features tell."""
    of = dict(zip(rows.names, rows.numeric.T, strict=True))
    return replace(
        rows,
        recent=np.full_like(rows.recent, np.nan),
        rate=of[RATE_LIFE.name],
        baseline=np.expm1(of[LOG_MEAN_LIFE.name]),
        baseline_size=np.exp(of[LOG_SIZE_LIFE.name]),
        case_pack=np.zeros_like(rows.case_pack),
    )


def _unseen(column: Coded) -> Coded:
    return Coded(np.zeros_like(column.codes), _UNSEEN)


def _in_group(rows: Frame, group: Group) -> bool:
    return any(feature.group == group for feature in features_named([*rows.names, *rows.categorical]))


def _differ(rows: Frame, gross: Frame) -> Bools:
    numbers = ((rows.numeric != gross.numeric) & ~(np.isnan(rows.numeric) & np.isnan(gross.numeric))).any(axis=1)
    recent = ((rows.recent != gross.recent) & ~(np.isnan(rows.recent) & np.isnan(gross.recent))).any(axis=1)
    return np.asarray(numbers | recent)


def _shapley(worth: dict[frozenset[Group], Floats64], group: Group, players: Sequence[Group]) -> Floats64:
    """Mean of what the group adds over all orders in which groups could become known."""
    total = np.zeros_like(worth[frozenset()])
    if group not in players:
        return total
    others, n = [player for player in players if player != group], len(players)
    for size in range(n):
        weight = factorial(size) * factorial(n - size - 1) / factorial(n)
        for known in combinations(others, size):
            total += weight * (worth[frozenset({*known, group})] - worth[frozenset(known)])
    return total


def _exact(reference: Floats64, shares: Floats64, expected: Floats64) -> Contributions:
    """Contributions in whole units of the last decimal, by largest remainder, so that nothing is lost to rounding."""
    scale = 10.0**PLACES
    wanted = np.round(expected * scale).astype(np.int64) - np.round(reference * scale).astype(np.int64)
    exact = shares * scale
    whole = np.floor(exact).astype(np.int64)
    short = wanted - whole.sum(axis=1)
    rank = np.argsort(np.argsort(whole - exact, axis=1, kind="stable"), axis=1, kind="stable")
    groups = shares.shape[1]
    whole += short[:, None] // groups + (rank < (short % groups)[:, None])
    return Contributions(np.round(reference, PLACES), whole / scale)
