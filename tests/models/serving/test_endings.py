"""What has ended is not planned: closed stores, delisted products, series silent beyond their own rhythm; and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from models.serving.failover import Serving
from models.serving.score import score_region
from models.training.spec import TrainingSpec
from models.training.train import train_region
from transforms.panel.endings import endings
from transforms.panel.panel import FOR_EVER, Panel

WEEKS, STORES, PRODUCTS = 150, 6, 5
NUMBERS = ("p_demand", "expected", "q10", "q50", "q90")


def cut(panel: Panel, rows: np.ndarray, weeks: int) -> Panel:
    """The panel with no delivery to `rows` in its last weeks."""
    shipped = panel.shipped.copy()
    shipped[rows, -weeks:] = 0
    return replace(panel, shipped=shipped)


def laid_out(panel: Panel, weeks: int, change: Callable[[np.ndarray], None] | None = None) -> Panel:
    """A panel with the stores and products of another, each series delivered 6 units every week but what `change` does to series 0."""
    shipped = np.full((len(panel.store), weeks), 6, np.float32)
    if change is not None:
        change(shipped)
    nothing = panel.returns.take(np.zeros(len(panel.returns.series), bool))
    return replace(panel, shipped=shipped, first=panel.last + (1 - weeks), returns=nothing)


def reasons(panel: Panel, horizon: int = 1) -> np.ndarray:
    every = np.arange(len(panel.store), dtype=np.int32)
    return endings(panel, every, np.full(len(every), horizon, np.int32))


@pytest.mark.parametrize("rung", ["champion", "baseline"])
def test_a_store_silent_for_24_weeks_gets_no_units_and_all_others_what_they_got_before(panel: Panel, rung: str, monkeypatch) -> None:
    closed = panel.store == 2
    silent = cut(panel, closed, 24)
    served = {}
    if rung == "champion":
        models = train_region(silent, TrainingSpec(weeks=40, fewest_rows=50, members=("lasso",)))
        served = {(t.format, t.mover): Serving(t.model, "v", panel.last.monday) for t in models if t.mover != "all"}
    forecasts, plan = score_region(silent, 4, served, {})
    monkeypatch.setattr("models.serving.score.endings", lambda panel, series, horizon: np.full(len(series), "", object))  # noqa: ARG005
    without, plan_without = score_region(silent, 4, served, {})
    here = np.asarray(forecasts["store_id"]) == "S2"
    assert here.sum() == closed.sum() * 4
    assert {row["rung"] for row in forecasts.to_pylist()} == {rung}
    assert set(forecasts.filter(pa.array(here))["ended"].to_pylist()) == {"store silent for 24 weeks, its longest gap before was 1"}
    assert all(not np.asarray(forecasts[name])[here].any() for name in NUMBERS)
    outcome = plan.filter(pa.array(here)).select(["order_quantity", "service_level", "expected_returns", "expected_lost_sales"])
    assert {tuple(row.values()) for row in outcome.to_pylist()} == {(0, 1, 0, 0)}
    assert np.asarray(forecasts["size"])[here].all(), "a comeback is measured by the size that the model expects"
    others = pa.array(~here)
    assert forecasts.filter(others).equals(without.filter(others))
    assert plan.filter(others).equals(plan_without.filter(others))
    assert set(forecasts.filter(others)["ended"].to_pylist()) == {None}
    if rung == "baseline":
        assert np.asarray(plan_without["order_quantity"])[here].sum() > 100


def test_a_product_and_a_single_series_that_fell_silent_have_ended_too(panel: Panel) -> None:
    base = laid_out(panel, WEEKS)
    product = np.flatnonzero(panel.product == 3)
    found = reasons(cut(base, product, 20))
    assert set(found[product]) == {"product silent for 20 weeks, its longest gap before was 1"}
    assert set(np.delete(found, product)) == {""}
    found = reasons(cut(base, np.asarray([7]), 20))
    assert found[7] == "series silent for 20 weeks, its longest gap before was 1"
    assert set(np.delete(found, 7)) == {""}


def test_a_slow_series_with_gaps_of_20_weeks_goes_on(panel: Panel) -> None:
    def slow(shipped: np.ndarray) -> None:
        shipped[0] = 0
        shipped[0, WEEKS - 26 :: -20] = 6

    assert reasons(laid_out(panel, WEEKS, slow))[0] == ""


def test_what_sells_in_summer_only_goes_on_in_its_second_winter_and_in_its_first(panel: Panel) -> None:
    def summers(shipped: np.ndarray) -> None:
        shipped[0] = 0
        for end in (WEEKS - 36, WEEKS - 88):
            shipped[0, end - 12 : end] = 6

    def first_summer(shipped: np.ndarray) -> None:
        shipped[0, : WEEKS - 48] = 0
        shipped[0, WEEKS - 36 :] = 0

    assert reasons(laid_out(panel, WEEKS, summers))[0] == ""
    assert reasons(laid_out(panel, WEEKS, first_summer))[0] == ""


@pytest.mark.parametrize("weeks", [2, 3, 5])
def test_a_store_on_holiday_has_not_closed(panel: Panel, weeks: int) -> None:
    assert set(reasons(cut(laid_out(panel, WEEKS), panel.store == 2, weeks))) == {""}


def test_a_store_that_comes_back_resumes_at_once(panel: Panel) -> None:
    closed = cut(laid_out(panel, WEEKS), panel.store == 2, 24)
    back = closed.shipped.copy()
    back[np.flatnonzero(panel.store == 2)[0], -1] = 6
    assert set(reasons(closed)[panel.store == 2]) != {""}
    assert {why for why in reasons(replace(closed, shipped=back))[panel.store == 2] if why.startswith("store")} == set()


def test_weeks_without_any_delivery_in_the_region_end_nothing(panel: Panel) -> None:
    every = np.arange(len(panel.store))
    assert set(reasons(cut(laid_out(panel, WEEKS), every, 20))) == {""}


def test_where_long_silences_tend_to_end_none_is_taken_for_the_end(panel: Panel) -> None:
    def out_of_stock(shipped: np.ndarray) -> None:
        # In each store some product was out of stock for half a year, and came back.
        for index in range(1, len(shipped), 3):
            shipped[index, 60 + index % 20 : 86 + index % 20] = 0

    silent = cut(laid_out(panel, WEEKS, out_of_stock), np.asarray([0]), 20)
    assert reasons(silent)[0] == ""


def announced(panel: Panel, closed_on: date | None, known_at: datetime | None = None) -> Panel:
    """The panel with a date of closing of store 2."""
    day = FOR_EVER if closed_on is None else (closed_on - date(1970, 1, 1)).days
    seconds = day * 86_400 if known_at is None else int(known_at.timestamp())
    one = replace(panel.closings, day=panel.closings.day.copy(), known_at=panel.closings.known_at.copy())
    one.day[one.entity == 2], one.known_at[one.entity == 2] = day, seconds
    return replace(panel, closings=one, store_ends=one.at(int(panel.last.end.replace(tzinfo=UTC).timestamp())))


def test_weeks_from_the_day_of_closing_on_are_not_planned_once_it_is_known(panel: Panel) -> None:
    base = laid_out(panel, WEEKS)
    here, day = panel.store == 2, (base.last + 3).monday
    known = announced(base, day, datetime(day.year - 1, day.month, 1, tzinfo=UTC))
    assert set(reasons(known, 2)) == {""}
    assert set(reasons(known, 3)[here]) == set(reasons(known, 4)[here]) == {f"store closed on {day}"}
    assert set(reasons(known, 3)[~here]) == {""}
    assert set(reasons(announced(base, day), 4)) == {""}, "a closing that nobody announced is known on its day"
    later = announced(base, day, base.last.end.replace(tzinfo=UTC))
    assert set(reasons(later, 4)) == {""}, "announced after the origin"


def test_a_closing_counts_from_the_origin_at_which_it_was_known(panel: Panel) -> None:
    day = (panel.last + -10).monday
    closed = announced(laid_out(panel, WEEKS), day)
    closed = cut(closed, panel.store == 2, 11)
    assert set(reasons(closed.until(panel.last + -11), 4)) == {""}
    assert set(reasons(closed.until(panel.last + -10), 4)[panel.store == 2]) == {f"store closed on {day}"}


def test_a_date_of_closing_is_wrong_where_deliveries_go_on(panel: Panel) -> None:
    assert set(reasons(announced(laid_out(panel, WEEKS), (panel.last + -10).monday))) == {""}


def test_an_origin_before_the_end_of_anything_knows_nothing_of_it(panel: Panel) -> None:
    origin = panel.last + -30
    ended = cut(panel, panel.store == 2, 29)
    clean, other = (score_region(one.until(origin), 4, {}, {}) for one in (panel, ended))
    assert all(table.equals(same) for table, same in zip(clean, other, strict=True))
