"""Edits and approvals of order plans, put on record one after the other, each with what is loaded from then on. Who may do so is not decided here."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts.orders import ACTIONS, APPROVED, LARGEST_QUANTITY, ORDER_PLAN_FINAL, OVERRIDES, PLAN_DECISIONS, PLAN_EVENTS, REASONS
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.lease import turn
from transforms.lake.tables import Lake, day, region_list
from transforms.orders.final import final_of, newest_origin, replace_final, turn_of
from transforms.rows import Row

Clock = Callable[[], datetime]
"""Says what time it is, in UTC."""


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody wants loaded: `quantity` units, or what the plan says where it is None; `seen` is what they saw was to be loaded.

    `action` is how they said so, one of ACTIONS: the number itself, a share of many lines, or a workbook.
    """

    store_id: str
    product_id: str
    quantity: int | None
    seen: int
    action: str = "quantity"

    def __post_init__(self) -> None:
        _expect("action", self.action, ACTIONS)


@dataclass(frozen=True, slots=True)
class Why:
    """Why quantities are changed, and by whom."""

    person: str
    reason: str
    note: str | None = None

    def __post_init__(self) -> None:
        _expect("reason", self.reason, REASONS)
        if not self.person.strip():
            raise ConfigurationError("An edit needs the name of who makes it.")


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody who approves a plan has looked at: the origin it was made from, units to load, and how many edits were on record of its week."""

    origin: Week
    units: int
    edits: int


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of an edit: lines changed, lines that were so already, and those that somebody else had changed since they were seen."""

    changed: int
    unchanged: int
    changed_meanwhile: Sequence[Row]
    units: int
    """Units more (or less) than before, over all lines."""


def record_edits(lake: Lake, region: Region, target: Week, changes: Sequence[Change], why: Why, edit_id: str, clock: Clock) -> Edited:
    """Put edits (one or more) of a region's newest plan of a week on record, and what is loaded from then on.

    Two persons who edit at the same moment follow each other: both edits stay on record, the later one is loaded, and its maker is told.

    Raises
    ------
    MissingData
        If there is no plan of the week, or a line is not in it: nothing is recorded.
    ConfigurationError
        If a quantity is no number of units that could be loaded.
    """
    if not changes:
        return Edited(0, 0, [], 0)
    _refuse_impossible(changes)
    with turn(lake, turn_of(region)):
        # Looked at when it is this edit's turn: it may have waited for others, and comes after them.
        now = clock()
        origin = _origin(lake, region, target)
        block = SliceBlock((region,), origin, origin)
        where = f"region = '{region}' and origin_week = {day(origin)} and target_week = {day(target)}"
        stores = sorted({change.store_id for change in changes})
        present = {(row["store_id"], row["product_id"]): row for row in final_of(lake, where, region_list([region]), stores).to_pylist()}
        _refuse_unplanned(changes, present, region, target, origin)
        _refuse_part_cases(changes, present)
        effective = [change for change in changes if _changes(change, present[change.store_id, change.product_id])]
        rows = [_override(region, target, origin, change, present[change.store_id, change.product_id], why, edit_id, now) for change in effective]
        if rows:
            lake.append(OVERRIDES.name, pa.Table.from_pylist(rows, schema=OVERRIDES.schema), f"edit by {why.person}: {why.reason}")
        replace_final(lake, region, block)
    meanwhile = [
        {**present[change.store_id, change.product_id], "seen": change.seen, "wanted": change.quantity}
        for change in effective
        if present[change.store_id, change.product_id]["order_quantity"] != change.seen
    ]
    units = sum((row["planned_quantity"] if row["quantity_to"] is None else row["quantity_to"]) - row["quantity_from"] for row in rows)
    return Edited(len(rows), len(changes) - len(rows), meanwhile, units)


def record_decision(lake: Lake, region: Region, target: Week, event: str, person: str, note: str | None, seen: Seen, clock: Clock) -> Row:
    """Put on record that somebody approved a region's newest plan of a week, or took that back; return the row.

    Raises
    ------
    MissingData
        If there is no plan of the week.
    ConfigurationError
        If what is approved is not what was looked at: the plan was made again since, or edited.
    """
    _expect("event", event, PLAN_DECISIONS)
    with turn(lake, turn_of(region)):
        origin = _origin(lake, region, target)
        replace_final(lake, region, SliceBlock((region,), origin, origin))
        where = f"region = '{region}' and origin_week = {day(origin)} and target_week = {day(target)}"
        loaded = lake.read(ORDER_PLAN_FINAL.name, where, "sum(order_quantity) as units, count(*) filter (where edited) as edits").to_pylist()[0]
        units = int(loaded["units"] or 0)
        if event == APPROVED:
            _refuse_unseen(lake, region, target, origin, units, seen)
        row: Row = {
            "region": str(region),
            "target_week": target.monday,
            "event_time": clock(),
            "origin_week": origin.monday,
            "event": event,
            "person": person,
            "note": note,
            "units": units,
            "edits": loaded["edits"] or 0,
        }
        lake.append(PLAN_EVENTS.name, pa.Table.from_pylist([row], schema=PLAN_EVENTS.schema), f"{event} by {person}")
    return row


def _origin(lake: Lake, region: Region, target: Week) -> Week:
    origin = newest_origin(lake, region, target)
    if origin is None:
        raise MissingData(f"{region} has no plan for the week {target}: run the cycle of an origin before it, and edit its plan then.")
    return origin


def _refuse_unseen(lake: Lake, region: Region, target: Week, origin: Week, units: int, seen: Seen) -> None:
    edits = lake.read_or_empty(OVERRIDES.name, f"region = '{region}' and target_week = {day(target)}").sort_by("edited_at").to_pylist()
    if (origin, units, len(edits)) == (seen.origin, seen.units, seen.edits):
        return
    if len(edits) > seen.edits:
        more = len(edits) - seen.edits
        changed = f"edited ({more} {'edit' if more == 1 else 'edits'}, the last by {edits[-1]['person']}: {edits[-1]['reason']})"
    else:
        changed = "made again"
    raise ConfigurationError(
        f"The plan of {region} for {target} was {changed} after it was shown: {seen.units:,} units then, {units:,} now. Nothing was recorded: look "
        "at it again, and approve it then."
    )


def _refuse_impossible(changes: Sequence[Change]) -> None:
    wrong = [change for change in changes if change.quantity is not None and not 0 <= change.quantity <= LARGEST_QUANTITY]
    if wrong:
        first = f"store {wrong[0].store_id}, product {wrong[0].product_id}, {wrong[0].quantity}"
        raise ConfigurationError(
            f"{len(wrong)} quantities cannot be loaded (first: {first}): expected 0 to {LARGEST_QUANTITY:,} units. Nothing was changed."
        )
    (store, product), times = Counter((change.store_id, change.product_id) for change in changes).most_common(1)[0]
    if times > 1:
        raise ConfigurationError(f"Store {store}, product {product} is named {times} times: expected one quantity a line. Nothing was changed.")


def _refuse_unplanned(changes: Sequence[Change], present: Mapping[tuple[str, str], Row], region: Region, target: Week, origin: Week) -> None:
    if absent := [change for change in changes if (change.store_id, change.product_id) not in present]:
        raise MissingData(
            f"{len(absent)} lines are not in the plan of {region} for {target}, made at {origin} (first: store {absent[0].store_id}, product "
            f"{absent[0].product_id}): only what is planned can be edited. Nothing was changed."
        )


def _refuse_part_cases(changes: Sequence[Change], present: Mapping[tuple[str, str], Row]) -> None:
    for change in changes:
        pack = present[change.store_id, change.product_id]["case_pack"] or 1
        if change.quantity is not None and change.quantity % pack:
            below = change.quantity // pack * pack
            raise ConfigurationError(
                f"Store {change.store_id}, product {change.product_id}: {change.quantity} units are no whole cases of {pack}; expected {below} or "
                f"{below + pack}. Nothing was changed."
            )


def _expect(name: str, value: str, expected: Sequence[str]) -> None:
    if value not in expected:
        raise ConfigurationError(f"{name}: expected one of {', '.join(expected)}; came {value!r}.")


def _changes(change: Change, row: Row) -> bool:
    """Whether anything is other than before: the quantity, or that an edit is in force."""
    if change.quantity is None:
        return bool(row["edited"])
    return bool(row["order_quantity"] != change.quantity)


def _override(region: Region, target: Week, origin: Week, change: Change, row: Row, why: Why, edit_id: str, now: datetime) -> dict[str, Any]:
    return {
        "region": str(region),
        "store_id": change.store_id,
        "product_id": change.product_id,
        "target_week": target.monday,
        "edited_at": now,
        "origin_week": origin.monday,
        "planned_quantity": row["planned_quantity"],
        "quantity_from": row["order_quantity"],
        "quantity_to": change.quantity,
        "person": why.person,
        "reason": why.reason,
        "note": why.note,
        "action": change.action if change.quantity is not None else "taken back",
        "edit_id": edit_id,
    }
