"""Whether edits helped, where that is known: planners of the sample world who know something true, who add noise, who always round up."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from transforms.calendar import Region, SliceBlock
from transforms.contracts.gold import DEMAND, FORECASTS, ORDER_PLAN
from transforms.contracts.orders import OVERRIDES, VALUE_ADDED
from transforms.lake.tables import Lake
from transforms.orders.value_added import summaries, value_edits, value_of_edits
from transforms.world.simulation import CASES, World, WorldSpec, case_probabilities, simulate

TEXAS = Region("north_texas")
WEEKS, TRAILING = 26, 13
MARGIN, RETURN = 0.6, 0.3
PLANNERS = ("ann, who knows", "ben, at random", "cid, always more")


class Edited:
    """Plans from what sold lately, which know of no promotion and no season, and what three planners make of those of their stores."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.rng = world, np.random.default_rng(seed)
        self.pack = world.case_pack[world.series_product]
        self.person = world.series_store % 3
        self.columns = np.arange(world.spec.weeks - WEEKS, world.spec.weeks)
        lately = [world.demand[:, week - TRAILING : week] / self.pack[:, None] for week in self.columns]
        self.lately = np.stack(lately, axis=1)
        self.planned = np.round(self.lately.mean(axis=2)).astype(int)
        # By the world's own probabilities of the week, which these plans do not know.
        self.chance = world.p_demand[:, self.columns]
        self.cases = case_probabilities(world.mean_log[:, self.columns], world.spec.sigma)
        self.edited = self.by_planners()

    def by_planners(self) -> np.ndarray:
        likely = np.concatenate([(1 - self.chance)[..., None], self.chance[..., None] * self.cases], axis=-1)
        best = (np.cumsum(likely, axis=-1) < MARGIN / (MARGIN + RETURN)).sum(axis=-1)
        noise = np.maximum(self.planned + self.rng.choice([-3, -2, 2, 3], self.planned.shape), 0)
        return np.select([self.person[:, None] == 0, self.person[:, None] == 1], [best, noise], self.planned + 2)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Cases that are asked for, drawn anew from the world's probabilities; shape (series, weeks)."""
        uniform = rng.random(self.cases.shape[:2])[..., None]
        drawn = CASES[np.minimum((np.cumsum(self.cases, axis=-1) < uniform).sum(axis=-1), len(CASES) - 1)]
        return np.where(rng.random(drawn.shape) < self.chance, drawn, 0)

    def saved(self, demand: np.ndarray) -> np.ndarray:
        """USD that the edits saved, given the demand in cases: a plain loop over both quantities."""
        costs = [MARGIN * np.maximum(demand - loaded, 0) + RETURN * np.maximum(loaded - demand, 0) for loaded in (self.planned, self.edited)]
        return (costs[0] - costs[1]) * self.pack[:, None]

    def rows(self, demand: np.ndarray) -> pa.Table:
        """Rows of gold/value_added, as far as summaries ask."""
        changed = self.edited != self.planned
        series, week = np.nonzero(changed)
        weeks = [(self.world.first + int(self.columns[one])).monday for one in range(WEEKS)]
        saved = self.saved(demand)[changed]
        return pa.table(
            {
                "person": [PLANNERS[self.person[one]] for one in series],
                "week": pa.array([weeks[one] for one in week], pa.date32()),
                "sold_out": np.zeros(len(series), bool),
                "units_saved": saved,
                "usd_saved": saved,
            }
        )


@pytest.fixture(scope="module")
def edited() -> Edited:
    return Edited(simulate(WorldSpec(regions=1, stores_per_region=15, products=8, weeks=70)), seed=1)


def true_weekly(edited: Edited, draws: int = 150) -> dict[str, float]:
    """What each planner's edits are worth in a week in the long run."""
    rng, total = np.random.default_rng(99), np.zeros(edited.planned.shape)
    for _ in range(draws):
        total += edited.saved(edited.draw(rng))
    return {name: float(total[edited.person == place].sum() / draws / WEEKS) for place, name in enumerate(PLANNERS)}


def on_a_lake(edited: Edited, demand: np.ndarray, root: Path, left_over: int = 1) -> Lake:
    """The same as tables of a lake: a plan a week, made a week before, edits a day before the week begins."""
    lake, world = Lake(str(root)), edited.world
    series, week = (axis.ravel() for axis in np.indices(edited.planned.shape))
    target = [(world.first + int(edited.columns[one])).monday for one in week]
    n = len(series)
    keys = {
        "region": [str(TEXAS)] * n,
        "store_id": [f"s{world.series_store[one]}" for one in series],
        "product_id": [f"p{world.series_product[one]}" for one in series],
    }
    pack, planned = edited.pack[series], edited.planned.ravel()
    sorted_lately = np.sort(edited.lately, axis=2)
    left = np.maximum(edited.planned[..., None] - edited.lately, 0).mean(axis=2)
    missed = np.maximum(edited.lately - edited.planned[..., None], 0).mean(axis=2)
    plans = {
        **keys,
        "origin_week": [one - timedelta(weeks=1) for one in target],
        "target_week": target,
        "order_quantity": planned * pack,
        "service_level": (edited.lately <= edited.planned[..., None]).mean(axis=2).ravel(),
        "expected_returns": left.ravel() * pack,
        "expected_lost_sales": missed.ravel() * pack,
        "case_pack": pack,
        "margin": np.full(n, MARGIN),
        "return_cost": np.full(n, RETURN),
    }
    constants = {"horizon": 1, "format": "large", "mover": "fast", "model_version": "m", "is_stale": False, "rung": "champion"}
    forecasts = {
        **{name: plans[name] for name in (*keys, "origin_week", "target_week")},
        **{name: [value] * n for name, value in constants.items()},
        "p_demand": (edited.lately > 0).mean(axis=2).ravel(),
        **{name: edited.lately.mean(axis=2).ravel() * pack for name in ("size", "expected", "baseline", "baseline_size")},
        **{name: sorted_lately[:, :, place].ravel() * pack for name, place in (("q10", 1), ("q50", 6), ("q90", 11))},
        "trained_week": plans["origin_week"],
    }
    asked = demand.ravel() * pack
    sold = {**keys, "week": target, "units_shipped": asked + left_over, "units_returned": np.full(n, left_over), "demand": asked}
    changed = np.flatnonzero(edited.edited.ravel() != planned)
    edits = [
        {
            **{name: keys[name][one] for name in keys},
            "target_week": target[one],
            "edited_at": datetime(target[one].year, target[one].month, target[one].day, tzinfo=UTC) - timedelta(days=1),
            "origin_week": plans["origin_week"][one],
            "planned_quantity": int(planned[one] * pack[one]),
            "quantity_from": int(planned[one] * pack[one]),
            "quantity_to": int(edited.edited.ravel()[one] * pack[one]),
            "person": PLANNERS[edited.person[series[one]]],
            "reason": "promotion",
            "action": "quantity",
            "edit_id": "e",
        }
        for one in changed
    ]
    first, last = (world.first + int(edited.columns[end]) for end in (0, -1))
    for contract, columns, back in ((DEMAND, sold, 0), (ORDER_PLAN, plans, 1), (FORECASTS, forecasts, 1)):
        filled = {name: columns.get(name, [None] * n) for name in contract.names}
        lake.replace(contract.name, SliceBlock((TEXAS,), first + -back, last + -back), pa.table(filled).cast(contract.schema))
    # In the order of their time, as they come: a commit's times lie after those of all before.
    for week in sorted({one["target_week"] for one in edits}):
        lake.append(OVERRIDES.name, pa.Table.from_pylist([one for one in edits if one["target_week"] == week], schema=OVERRIDES.schema))
    return lake


@pytest.fixture(scope="module")
def shared(edited: Edited, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake for reading."""
    return on_a_lake(edited, edited.draw(np.random.default_rng(5)), tmp_path_factory.mktemp("edited") / "lake")


def block_of(edited: Edited) -> SliceBlock:
    return SliceBlock((TEXAS,), *(edited.world.first + int(edited.columns[end]) for end in (0, -1)))


def test_planners_of_known_skill_are_told_apart(edited: Edited, shared: Lake) -> None:
    # A unit of each comes back: nothing sold out, and what came is what was asked for.
    rows = value_of_edits(shared, block_of(edited))
    found = {one.name: one for one in summaries(rows, "person")}
    truth = true_weekly(edited)
    assert truth[PLANNERS[0]] > 0 > truth[PLANNERS[1]]
    assert found[PLANNERS[0]].verdict == "helped"
    assert found[PLANNERS[1]].verdict == "cost"
    assert found[PLANNERS[2]].verdict in {"open", "helped" if truth[PLANNERS[2]] > 0 else "cost"}
    for name, one in found.items():
        assert one.usd_low <= truth[name] <= one.usd_high, name
        assert one.weeks == WEEKS


def test_what_an_edit_saved_is_the_difference_of_both_costs(edited: Edited, shared: Lake, tmp_path: Path) -> None:
    lake = Lake(str(shutil.copytree(shared.root, tmp_path / "lake")))
    value_edits(lake, block_of(edited))
    rows = lake.read(VALUE_ADDED.name).to_pylist()
    known = [row for row in rows if not row["sold_out"]]
    assert len(known) > 100
    for row in known[:200]:
        costs = [
            MARGIN * max(row["demand"] - loaded, 0) + RETURN * max(loaded - row["demand"], 0)
            for loaded in (row["planned_quantity"], row["order_quantity"])
        ]
        assert row["usd_saved"] == pytest.approx(costs[0] - costs[1], abs=1e-5)


def test_bounds_hold_the_truth_as_often_as_they_say(edited: Edited) -> None:
    truth, rng, draws = true_weekly(edited), np.random.default_rng(11), 60
    held = dict.fromkeys(PLANNERS, 0)
    for _ in range(draws):
        for one in summaries(edited.rows(edited.draw(rng)), "person", alpha=0.15):
            held[one.name] += one.usd_low <= truth[one.name] <= one.usd_high
    # Each of the three at 95 %: a binomial of 60 draws has 52 or more in 99.8 % of cases. Weeks differ in their means, which widens the bounds.
    assert min(held.values()) >= 52, held


def test_edits_that_change_nothing_in_the_long_run_are_judged_at_most_at_the_nominal_rate() -> None:
    rng, wrong, draws = np.random.default_rng(3), 0, 100
    weeks = [datetime(2024, 1, 1).date() + timedelta(weeks=week) for week in range(WEEKS)]
    for _ in range(draws):
        shared = rng.standard_t(4, (5, WEEKS))
        each = shared.repeat(4, axis=1) + rng.normal(0, 1, (5, 4 * WEEKS))
        rows = pa.table(
            {
                "person": np.repeat(list("abcde"), 4 * WEEKS),
                "week": pa.array(list(np.repeat(weeks, 4)) * 5, pa.date32()),
                "sold_out": np.zeros(20 * WEEKS, bool),
                "units_saved": each.ravel(),
                "usd_saved": each.ravel(),
            }
        )
        wrong += any(one.verdict != "open" for one in summaries(rows, "person"))
    # A binomial of 100 draws at 5 % has 11 or fewer in 99.6 % of cases.
    assert wrong <= 11


def test_an_edit_made_after_its_week_had_begun_counts_for_nothing(edited: Edited, shared: Lake, tmp_path: Path) -> None:
    lake = Lake(str(shutil.copytree(shared.root, tmp_path / "lake")))
    block = block_of(edited)
    before = value_of_edits(lake, block)
    late = lake.read(OVERRIDES.name).slice(0, 5).to_pylist()
    rows = [{**row, "edited_at": datetime(2030, 1, 1, tzinfo=UTC), "quantity_to": 0} for row in late]
    lake.append(OVERRIDES.name, pa.Table.from_pylist(rows, schema=OVERRIDES.schema))
    assert value_of_edits(lake, block).equals(before)


def test_a_cut_that_sold_out_is_no_saving_that_anybody_saw(edited: Edited, tmp_path: Path) -> None:
    """All that was loaded sold: the forecast says what more would have, and the cut is worth less than if nobody had wanted more."""
    demand = np.minimum(edited.draw(np.random.default_rng(8)), edited.edited)
    rows = value_of_edits(on_a_lake(edited, demand, tmp_path, left_over=0), block_of(edited)).to_pylist()
    cut = [row for row in rows if row["sold_out"]]
    assert len(cut) > 20
    assert all(row["order_quantity"] < row["planned_quantity"] for row in cut)
    naive = [RETURN * (row["planned_quantity"] - row["order_quantity"]) for row in cut]
    assert all(row["usd_saved"] <= most + 1e-6 for row, most in zip(cut, naive, strict=True))
    assert sum(row["usd_saved"] for row in cut) < 0.5 * sum(naive)


def test_few_weeks_are_told_as_too_few() -> None:
    rows = pa.table(
        {
            "person": ["a"] * 3,
            "week": pa.array([datetime(2024, 1, day).date() for day in (1, 8, 15)], pa.date32()),
            "sold_out": [False] * 3,
            "units_saved": [10.0, 11.0, 12.0],
            "usd_saved": [10.0, 11.0, 12.0],
        }
    )
    [found] = summaries(rows, "person")
    assert (found.verdict, found.weeks, found.usd) == ("open", 3, 11.0)
