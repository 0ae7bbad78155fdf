"""Edits of plans: what is on record, what is loaded, two at once, and plans that are made again."""

import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts.gold import FORECASTS, ORDER_PLAN
from transforms.contracts.orders import ORDER_PLAN_FINAL, OVERRIDES, PLAN_EVENTS
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.lease import turn
from transforms.lake.tables import Lake
from transforms.orders.final import keep_final, turn_of
from transforms.orders.record import Change, Seen, Why, record_decision, record_edits

OHIO = Region("ohio")
ORIGIN, TARGET = Week(date(2024, 7, 1)), Week(date(2024, 7, 8))
NOW = datetime(2024, 7, 5, 9, tzinfo=UTC)
ANN = Why("ann", "promotion", "two for one")


def plan(lake: Lake, quantities: dict[tuple[str, str], int], origin: Week = ORIGIN, target: Week = TARGET) -> None:
    """Forecasts and a plan of one region, origin and target week."""
    keys = [
        {"region": "ohio", "store_id": store, "product_id": product, "origin_week": origin.monday, "target_week": target.monday}
        for store, product in quantities
    ]
    forecasts = [
        {
            **key, "horizon": target - origin, "format": "large", "mover": "fast", "p_demand": 0.9, "size": 11.0, "expected": 10.0, "q10": 0.0,
            "q50": 9.0, "q90": 20.0, "baseline": 8.0, "baseline_size": 9.0, "model_version": "m1", "trained_week": origin.monday, "is_stale": False,
            "rung": "champion",
        }
        for key in keys
    ]  # fmt: skip
    plans = [
        {
            **key, "order_quantity": quantity, "service_level": 0.7, "expected_returns": 4.0, "expected_lost_sales": 4.0 + 10 - quantity,
            "case_pack": 6, "margin": 0.3, "return_cost": 0.1,
        }
        for key, quantity in zip(keys, quantities.values(), strict=True)
    ]  # fmt: skip
    block = SliceBlock((OHIO,), origin, origin)
    lake.replace(FORECASTS.name, block, pa.Table.from_pylist(forecasts, schema=FORECASTS.schema))
    lake.replace(ORDER_PLAN.name, block, pa.Table.from_pylist(plans, schema=ORDER_PLAN.schema))
    keep_final(lake, block)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path))
    plan(made, {("1", "bread"): 12, ("1", "rye"): 6, ("2", "bread"): 12})
    return made


def final(lake: Lake) -> dict[tuple[str, str], dict]:
    return {(row["store_id"], row["product_id"]): row for row in lake.read(ORDER_PLAN_FINAL.name).to_pylist()}


def edit(lake: Lake, product: str, quantity: int | None, seen: int, why: Why = ANN, store: str = "1", id_: str = "e1") -> object:
    return record_edits(lake, OHIO, TARGET, [Change(store, product, quantity, seen)], why, id_, lambda: NOW)


def test_a_plan_that_nobody_edited_is_loaded_as_it_is(lake: Lake) -> None:
    for row in final(lake).values():
        assert row["order_quantity"] == row["planned_quantity"]
        assert not row["edited"]
        assert row["expected_returns"] == 4.0


def test_an_edit_is_on_record_and_loaded(lake: Lake) -> None:
    done = edit(lake, "bread", 24, 12)
    assert (done.changed, done.units, list(done.changed_meanwhile)) == (1, 12, [])
    row = final(lake)["1", "bread"]
    assert (row["order_quantity"], row["planned_quantity"], row["edited"], row["person"], row["reason"], row["note"]) == (
        24, 12, True, "ann", "promotion", "two for one",
    )  # fmt: skip
    assert row["expected_returns"] > 4.0
    assert row["expected_lost_sales"] < 2.0
    kept = lake.read(OVERRIDES.name).to_pylist()
    assert [(one["planned_quantity"], one["quantity_from"], one["quantity_to"], one["action"]) for one in kept] == [(12, 12, 24, "quantity")]
    assert final(lake)["2", "bread"]["order_quantity"] == 12


def test_an_edit_that_is_taken_back_leaves_the_plan_and_its_record(lake: Lake) -> None:
    edit(lake, "bread", 24, 12)
    edit(lake, "bread", None, 24)
    row = final(lake)["1", "bread"]
    assert (row["order_quantity"], row["edited"], row["person"]) == (12, False, None)
    assert [one["action"] for one in lake.read(OVERRIDES.name).sort_by("edited_at").to_pylist()] == ["quantity", "taken back"]


def test_entering_what_is_loaded_already_puts_nothing_on_record(lake: Lake) -> None:
    assert edit(lake, "bread", 12, 12).unchanged == 1
    assert edit(lake, "bread", None, 12).unchanged == 1
    assert not lake.exists(OVERRIDES.name)


def test_two_planners_who_edit_one_store_at_the_same_moment_lose_nothing(lake: Lake) -> None:
    held, done = threading.Event(), {}

    def by(person: str, product: str, quantity: int, seen: int) -> None:
        held.wait()
        done[person, product] = edit(lake, product, quantity, seen, Why(person, "weather"), id_=person)

    jobs = [("ann", "bread", 24, 12), ("ben", "bread", 30, 12), ("ann", "rye", 12, 6), ("ben", "rye", 0, 6)]
    threads = [threading.Thread(target=by, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    held.set()
    for thread in threads:
        thread.join()
    kept = lake.read(OVERRIDES.name).sort_by("edited_at").to_pylist()
    assert len(kept) == 4
    loaded = final(lake)
    for product in ("bread", "rye"):
        mine = [row for row in kept if row["product_id"] == product]
        assert loaded["1", product]["order_quantity"] == mine[-1]["quantity_to"]
        assert mine[1]["quantity_from"] == mine[0]["quantity_to"]
        told = done[mine[1]["person"], product].changed_meanwhile
        assert [(row["person"], row["order_quantity"]) for row in told] == [(mine[0]["person"], mine[0]["quantity_to"])]
        assert not done[mine[0]["person"], product].changed_meanwhile


def test_an_edit_waits_for_a_plan_that_is_being_written(lake: Lake) -> None:
    with turn(lake, turn_of(OHIO)):
        waiting = threading.Thread(target=edit, args=(lake, "bread", 24, 12))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    waiting.join()
    assert final(lake)["1", "bread"]["order_quantity"] == 24


def test_an_edit_of_a_plan_that_was_made_again_is_loaded_and_shown_as_such(lake: Lake) -> None:
    edit(lake, "bread", 24, 12)
    plan(lake, {("1", "bread"): 18, ("1", "rye"): 6})
    row = final(lake)["1", "bread"]
    assert (row["order_quantity"], row["planned_quantity"], row["plan_at_edit"]) == (24, 18, 12)


def test_an_edit_holds_for_the_plan_of_a_later_origin_too(lake: Lake) -> None:
    early = Week(date(2024, 6, 24))
    plan(lake, {("1", "bread"): 12}, origin=early, target=TARGET)
    edit(lake, "bread", 24, 12)
    plan(lake, {("1", "bread"): 18}, origin=ORIGIN, target=TARGET)
    newest = [row for row in lake.read(ORDER_PLAN_FINAL.name).to_pylist() if row["origin_week"] == ORIGIN.monday]
    assert [(row["order_quantity"], row["plan_at_edit"]) for row in newest] == [(24, 12)]


def test_a_clock_that_was_set_back_does_not_make_an_older_edit_the_last(lake: Lake) -> None:
    edit(lake, "bread", 24, 12)
    record_edits(lake, OHIO, TARGET, [Change("1", "bread", 30, 24)], ANN, "e2", lambda: datetime(2020, 1, 1, tzinfo=UTC))
    assert final(lake)["1", "bread"]["order_quantity"] == 30


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        (
            [Change("1", "bread", -6, 12)],
            ConfigurationError,
            "1 quantities cannot be loaded (first: store 1, product bread, -6): expected 0 to 1,000,000",
        ),
        ([Change("1", "bread", 10**9, 12)], ConfigurationError, "cannot be loaded"),
        ([Change("1", "bread", 25, 12)], ConfigurationError, "Store 1, product bread: 25 units are no whole cases of 6; expected 24 or 30."),
        ([Change("1", "bread", 6, 12), Change("1", "bread", 18, 12)], ConfigurationError, "Store 1, product bread is named 2 times"),
        (
            [Change("1", "bread", 6, 12), Change("9", "bread", 18, 12)],
            MissingData,
            "1 lines are not in the plan of ohio for 2024-07-08, made at 2024-07-01",
        ),
    ],
)
def test_what_cannot_be_loaded_changes_nothing(lake: Lake, changes: list[Change], error: type[Exception], said: str) -> None:
    before = lake.version(ORDER_PLAN_FINAL.name)
    with pytest.raises(error) as caught:
        record_edits(lake, OHIO, TARGET, changes, ANN, "e1", lambda: NOW)
    assert said in str(caught.value)
    assert "Nothing was changed." in str(caught.value)
    assert not lake.exists(OVERRIDES.name)
    assert lake.version(ORDER_PLAN_FINAL.name) == before


def test_a_week_without_a_plan_cannot_be_edited_or_approved(lake: Lake) -> None:
    with pytest.raises(MissingData, match="ohio has no plan for the week 2024-09-02"):
        record_edits(lake, OHIO, Week(date(2024, 9, 2)), [Change("1", "bread", 6, 12)], ANN, "e1", lambda: NOW)
    with pytest.raises(MissingData, match="ohio has no plan for the week 2024-09-02"):
        record_decision(lake, OHIO, Week(date(2024, 9, 2)), "approved", "ann", None, Seen(ORIGIN, 0, 0), lambda: NOW)


def test_an_unknown_reason_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ConfigurationError, match="reason: expected one of promotion, holiday or event"):
        Why("ann", "because")


def test_an_approval_says_what_was_approved(lake: Lake) -> None:
    edit(lake, "bread", 24, 12)
    record_decision(lake, OHIO, TARGET, "approved", "ben", "looks right", Seen(ORIGIN, 24 + 6 + 12, 1), lambda: NOW)
    kept = lake.read(PLAN_EVENTS.name).to_pylist()
    assert [(row["event"], row["person"], row["units"], row["edits"], row["origin_week"]) for row in kept] == [
        ("approved", "ben", 24 + 6 + 12, 1, ORIGIN.monday)
    ]


def test_what_was_edited_or_planned_again_after_it_was_looked_at_is_not_approved(lake: Lake) -> None:
    looked_at = Seen(ORIGIN, 12 + 6 + 12, 0)
    edit(lake, "bread", 24, 12)
    with pytest.raises(ConfigurationError, match=r"was edited \(1 edit, the last by ann: promotion\) after it was shown: 30 units then, 42 now"):
        record_decision(lake, OHIO, TARGET, "approved", "ben", None, looked_at, lambda: NOW)
    looked_at = Seen(ORIGIN, 24 + 6 + 12, 1)
    plan(lake, {("1", "bread"): 12, ("1", "rye"): 18, ("2", "bread"): 12})
    with pytest.raises(ConfigurationError, match="was made again after it was shown: 42 units then, 54 now"):
        record_decision(lake, OHIO, TARGET, "approved", "ben", None, looked_at, lambda: NOW)
    assert not lake.exists(PLAN_EVENTS.name)
    # To take an approval back, nobody needs to have seen the newest numbers.
    record_decision(lake, OHIO, TARGET, "approval withdrawn", "ben", None, looked_at, lambda: NOW)
    assert lake.read(PLAN_EVENTS.name)["event"].to_pylist() == ["approval withdrawn"]


def test_edits_that_a_killed_process_put_on_record_alone_are_loaded_with_the_next_one(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("transforms.orders.record.replace_final", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            edit(lake, "bread", 24, 12)
    assert final(lake)["1", "bread"]["order_quantity"] == 12
    edit(lake, "rye", 12, 6)
    assert final(lake)["1", "bread"]["order_quantity"] == 24


def test_an_edit_that_waited_for_others_is_of_the_moment_when_its_turn_came(lake: Lake) -> None:
    """Times were taken before the wait: an approval that overtook an edit seemed to be of the edited plan."""
    waiting = threading.Event()

    def late() -> None:
        waiting.set()
        record_edits(lake, OHIO, TARGET, [Change("1", "bread", 24, 12)], ANN, "e1", lambda: datetime.now(UTC))

    with turn(lake, turn_of(OHIO)):
        thread = threading.Thread(target=late)
        thread.start()
        waiting.wait(10)
        released = datetime.now(UTC)
    thread.join(60)
    [row] = lake.read(OVERRIDES.name).to_pylist()
    assert row["edited_at"] >= released


def test_an_edit_of_no_line_changes_nothing(lake: Lake) -> None:
    done = record_edits(lake, OHIO, TARGET, [], ANN, "e1", lambda: NOW)
    assert (done.changed, done.unchanged, done.units) == (0, 0, 0)
    assert not lake.exists(OVERRIDES.name)
