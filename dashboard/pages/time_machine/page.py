"""Time machine: what did we know then? A region's week exactly as it was seen at a moment, for whoever has to answer for it."""

import html
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from dashboard.pages.time_machine.records import show_champions, show_data, show_records, show_weather
from dashboard.parts.numbers import MISSING, dated, day, moment
from dashboard.parts.selection import pick
from dashboard.parts.states import empty, lead
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View, address, current
from dashboard.parts.words import counted, region_name
from dashboard.queries import time_machine as queries
from dashboard.queries.orders.plans import planned_regions, planned_weeks
from dashboard.queries.time_machine import Moment, Then
from transforms.calendar import Week
from transforms.contracts.rungs import CHAMPION, RUNGS
from transforms.rows import Row

_STORES = (
    Column("store", "Store", phone=True),
    Column("units", "Units", "Units to load, with the edits made by then", number=True, phone=True),
    Column("planned", "Plan said", "Units before edits", number=True),
    Column("expected", "Expected", "Mean of the demand forecast, in units", number=True, phone=True),
    Column("edited", "Edited lines", number=True),
)
_LINES = (
    Column("product", "Product", phone=True),
    Column("units", "Units", "Units to load, with the edits made by then", number=True, phone=True),
    Column("planned", "Plan said", "Units before edits", number=True),
    Column("expected", "Expected", "Mean of the demand forecast in units, and between what it lies 8 times of 10", number=True, phone=True),
    Column("by", "Forecast by"),
)


def show() -> None:
    """Draw the page."""
    view = current()
    regions = planned_regions(view.reader)
    if not regions:
        empty("There is no plan yet, so there is no past to look at.", "`shelfcast run` makes the first one.")
        return
    answer = st.container()
    places = st.columns([2, 2, 3], vertical_alignment="bottom")
    with places[0]:
        region = pick("Region", "region", regions, default=regions[0], words=region_name)
    weeks = {str(plan.target): plan.target for plan in planned_weeks(view.reader, region)}
    with places[1]:
        week = pick(
            "Week", "week", list(weeks), default=next(iter(weeks)), words=lambda key: dated(weeks[key]), help_="The week that was shipped for"
        )
    target = weeks[week]
    moments = queries.moments_of(view.reader, region, target)
    with places[2]:
        at = _pick_moment(moments, target)
    _another_moment(at)
    seen = queries.then(view.reader, region, target, at)
    if seen is None:
        with answer:
            lead(f"As seen on <b>{moment(at)}</b>: {region_name(region)} had no plan for the week of {dated(target)} yet.")
        return
    lines = queries.lines_then(view.reader, seen)
    data = queries.data_then(view.reader, seen)
    weather = queries.weather_then(view.reader, seen)
    with answer:
        _lead(view, seen, lines, data, weather)
    with st.container(key="past"):
        st.html(f"<p class='past-mark'>◷ The past, as seen on {moment(at)}. Nothing in this frame is of today.</p>")
        _plan(view, seen, lines)
        show_records(view, seen)
        show_champions(view, seen)
        show_weather(view, weather)
        show_data(view, data)
    _since(view, seen, moments, lines)


def _pick_moment(moments: Sequence[Moment], target: Week) -> datetime:
    """The moment in the address, else the one that the truck was loaded by."""
    known = {one.at.isoformat(timespec="milliseconds"): f"{moment(one.at)}: {one.what} by {one.by}" for one in reversed(moments)}
    loaded = queries.loaded_at(list(moments), target) or datetime.now(UTC).replace(microsecond=0)
    asked = queries.parsed_moment(st.query_params.get("at", "")) or loaded
    own = asked.isoformat(timespec="milliseconds")
    known = known if own in known else {own: f"{moment(asked)}: a moment of your own", **known}
    chosen = pick("As seen on", "at", list(known), default=own, words=known.__getitem__, help_="When this plan was made, edited and decided on")
    found = queries.parsed_moment(chosen) or asked
    # Written in milliseconds, which the moment itself lies behind.
    return found + timedelta(milliseconds=1)


def _another_moment(at: datetime) -> None:
    with st.expander("Another moment"):
        left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
        on = left.date_input("Day", at.date(), max_value=datetime.now(UTC).date(), key="own_day")
        clock = middle.time_input("Time (UTC)", at.time().replace(second=0, microsecond=0), step=60, key="own_time")
        if right.button("Look", key="own"):
            st.query_params["at"] = datetime.combine(on, clock, UTC).isoformat(timespec="milliseconds")
            st.rerun()


def _lead(view: View, seen: Then, lines: Sequence[Row], data: Row, weather: Sequence[Row]) -> None:
    number = view.numbers
    units = sum(row["order_quantity"] for row in lines)
    edited = sum(row["person"] is not None for row in lines)
    trained = sorted({row["trained_week"] for row in lines if row["rung"] == CHAMPION})
    models = f"champions trained at {' to '.join(dict.fromkeys(dated(week) for week in (trained[0], trained[-1])))}" if trained else "no champion"
    version = html.escape(data["dataset_version"]) if data else "not on record"
    issued = max((row["last_issued_at"] for row in weather if row["last_issued_at"]), default=None)
    sky = f"weather as forecast on {dated(issued.date())}" if issued else "weather by past years" if weather else "weather not on record"
    lead(
        f"As seen on {dated(seen.moment.date())}: <b>{number.whole(units)} units</b> for {region_name(str(seen.region))} in the week of "
        f"{dated(seen.target)}, {counted(number, edited, 'line') if edited else 'no line'} edited; {models}, {sky}, data {version}."
    )


def _plan(view: View, seen: Then, lines: Sequence[Row]) -> None:
    names = {row["store_id"]: row["store_name"] or f"Store {row['store_id']}" for row in lines}
    store = pick("Store", "store", ["", *names], default="", words=lambda id_: f"{names[id_]}, {id_}" if id_ else "All stores")
    st.subheader(f"Plan made with data up to {dated(seen.origin)}", anchor=False)
    if store:
        mine = [_line(view, row) for row in lines if row["store_id"] == store]
        show_table("lines", f"Plan of store {store} as seen then", _LINES, mine, empty="")
        return
    of_stores = {id_: [row for row in lines if row["store_id"] == id_] for id_ in names}
    rows = [_store(view, seen, id_, names[id_], of_stores[id_]) for id_ in names]
    show_table("stores", "Stores as seen then", _STORES, rows, empty="The plan had no lines.")


def _store(view: View, seen: Then, store: str, name: str, lines: Sequence[Row]) -> Line:
    number = view.numbers
    units, planned = (sum(row[column] for row in lines) for column in ("order_quantity", "planned_quantity"))
    expected, edited = sum(row["expected"] or 0.0 for row in lines), sum(row["person"] is not None for row in lines)
    keys = {"region": str(seen.region), "week": str(seen.target), "at": st.query_params.get("at", ""), "store": store}
    return Line(
        store,
        {
            "store": Cell(name, small=store),
            "units": Cell(number.whole(units), units),
            "planned": Cell(number.whole(planned), planned),
            "expected": Cell(number.three(expected), expected),
            "edited": Cell(number.whole(edited), edited),
        },
        href=address("time_machine", **{name: value for name, value in keys.items() if value}),
    )


def _line(view: View, row: Row) -> Line:
    number = view.numbers
    by = row["person"]
    rung = RUNGS.get(row["rung"], row["rung"]) if row["rung"] else MISSING
    return Line(
        row["product_id"],
        {
            "product": Cell(row["product_name"] or f"Product {row['product_id']}", small=row["product_id"]),
            "units": Cell(number.whole(row["order_quantity"]), row["order_quantity"], small=f"{by}: {row['reason']}" if by else ""),
            "planned": Cell(number.whole(row["planned_quantity"]), row["planned_quantity"]),
            "expected": Cell(number.three(row["expected"]), row["expected"], small=f"{number.units(row['q10'])} to {number.units(row['q90'])}"),
            "by": Cell(row["model_version"] or MISSING, small=f"{rung}{', stale' if row['is_stale'] else ''}"),
        },
    )


def _since(view: View, seen: Then, moments: Sequence[Moment], lines: Sequence[Row]) -> None:
    """What is known today, apart from the frame of the past and called so."""
    st.subheader("Since then, as known today", anchor=False)
    number, came = view.numbers, queries.came_of_it(view.reader, seen)
    later = [one for one in moments if one.at > seen.moment]
    counts = [(sum(one.what == what for one in later), words) for what, words in ((queries.MADE, "made again"), (queries.EDITED, "edited"))]
    changed = " and ".join(f"{words} {counted(number, count, 'time')}" for count, words in counts if count)
    told = [f"The plan was {changed}." if changed else "The plan was neither made again nor edited."]
    if came:
        units = sum(row["order_quantity"] for row in lines)
        told.append(
            f"In the week {number.whole(came['shipped'])} units were delivered ({number.whole(units)} seen here), of which "
            f"{number.whole(came['demand'])} were sold and {number.whole(came['returned'])} came back; expected was a demand of "
            f"{number.three(sum(row['expected'] or 0.0 for row in lines))}."
        )
    else:
        told.append(f"Deliveries of the week of {day(seen.target)} are not on record.")
    st.markdown(" ".join(told))
