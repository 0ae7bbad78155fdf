"""The page of a region and week: its stores, or the lines of one, then files, and the approval."""

import html
from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.pages.orders.files import show_files
from dashboard.pages.orders.store import show_store
from dashboard.parts.numbers import day, moment
from dashboard.parts.pressing import is_pressed, shown_before
from dashboard.parts.selection import pick
from dashboard.parts.states import empty, lead
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View, address, current
from dashboard.parts.words import counted, plain, region_name
from dashboard.queries.orders.lines import stores_of
from dashboard.queries.orders.plans import PlanOf, bring_in_step, decisions_on, events_of, next_to_load, planned_regions, planned_weeks, standing_of
from orchestration.service.orders import decide_on_plan
from transforms.contracts.orders import APPROVED
from transforms.errors import ShelfcastError
from transforms.rows import Row

_REFUSED = "approval_refused"
_STORES = (
    Column("store", "Store", phone=True),
    Column(
        "look",
        "Lines to look at",
        "Large moves, new or ending products, promotions, low service, and edits of a plan made again",
        number=True,
        phone=True,
    ),
    Column("units", "Units", "Units to load", number=True, phone=True),
    Column("cases", "Cases", "Cases to load", number=True),
    Column("last", "Last week", "Units delivered in the newest week", number=True),
    Column("expected", "Expected demand", "Mean of the demand forecast, in units", number=True),
    Column("returns", "Expected returns", "Mean of the units left over", number=True),
    Column("lost", "Expected lost sales", "Mean of the demand not met, in units", number=True),
    Column("edited", "Edited lines", "Lines whose quantity somebody changed", number=True),
)


def show() -> None:
    """Draw the page."""
    view = current()
    regions = planned_regions(view.reader)
    if not regions:
        empty("There is no plan yet.", "`shelfcast run` makes one for the week after the newest that has landed.")
        return
    answer = st.container()
    columns = st.columns([2, 2, 3], vertical_alignment="bottom")
    with columns[0]:
        region = pick("Region", "region", regions, default=_own_first(regions, view), words=region_name)
    plans = planned_weeks(view.reader, region)
    chosen = next_to_load(plans) or plans[0]
    with columns[1]:
        week = pick(
            "Week to load for", "week", [str(plan.target) for plan in plans], default=str(chosen.target), words=lambda week: _words(plans, week)
        )
    plan = next(plan for plan in plans if str(plan.target) == week)
    bring_in_step(view.reader, plan)
    stores = stores_of(view.reader, plan)
    names = {row["store_id"]: row["store_name"] or f"Store {row['store_id']}" for row in stores}
    with columns[2]:
        store = pick("Store", "store", ["", *names], default="", words=lambda id_: f"{names[id_]}, {id_}" if id_ else "All stores")
    if store:
        show_store(view, plan, store, names[store], answer)
    else:
        with answer:
            _lead(view, plan, stores)
        _show_unsaved(view, plan, names)
        _show_stores(view, plan, stores)
    show_files(view, plan, store)
    st.html(f"<a href='{address('value_added', region=str(plan.region))}' target='_self'>Did edits help?</a>")
    _approval(view, plan)


def _own_first(regions: Sequence[str], view: View) -> str:
    return next((region for region in regions if region in (view.person.regions or ())), regions[0])


def _words(plans: Sequence[PlanOf], week: str) -> str:
    plan = next(plan for plan in plans if str(plan.target) == week)
    return f"{day(plan.target)} (planned from {day(plan.origin)})"


def _lead(view: View, plan: PlanOf, stores: Sequence[Row]) -> None:
    units, cases, look, last = (sum(row[name] for row in stores) for name in ("units", "cases", "to_look_at", "last_week"))
    number = view.numbers
    lead(
        f"{html.escape(region_name(str(plan.region)))}, week of {day(plan.target)}: <b>{number.whole(units)} units</b> in "
        f"{number.whole(cases)} cases for {counted(number, len(stores), 'store')}; last week {number.whole(last)}. "
        f"<b>{counted(number, look, 'line')} need{'s' if look == 1 else ''} a look.</b>"
    )
    if events := events_of(view.reader, plan):
        st.caption(plain(f"This week: {', '.join(events)}."))


def _show_unsaved(view: View, plan: PlanOf, names: Mapping[str, str]) -> None:
    """Where this person has entered something that is not saved yet."""
    waiting = view.unsaved.stores(plan.region, plan.target) if view.person.may_plan(str(plan.region)) else {}
    links = [
        f"<a href='{html.escape(address('orders', region=str(plan.region), week=str(plan.target), store=store))}' target='_self'>"
        f"{html.escape(names.get(store, store))}</a> ({counted(view.numbers, count, 'line')})"
        for store, count in sorted(waiting.items())
    ]
    if links:
        st.html(f"<p><b>Entered by you and not saved yet:</b> {', '.join(links)}.</p>")


def _show_stores(view: View, plan: PlanOf, stores: Sequence[Row]) -> None:
    number = view.numbers
    lines = [
        Line(
            row["store_id"],
            {
                "store": Cell(row["store_name"] or f"Store {row['store_id']}", small=row["store_id"]),
                "look": Cell(number.whole(row["to_look_at"]), row["to_look_at"]),
                "units": Cell(number.whole(row["units"]), row["units"]),
                "cases": Cell(number.whole(row["cases"]), row["cases"]),
                "last": Cell(number.whole(row["last_week"]), row["last_week"]),
                "expected": Cell(number.whole(row["expected"]), row["expected"]),
                "returns": Cell(number.whole(row["expected_returns"]), row["expected_returns"]),
                "lost": Cell(number.whole(row["expected_lost_sales"]), row["expected_lost_sales"]),
                "edited": Cell(number.whole(row["edited"]), row["edited"]),
            },
            href=address("orders", region=str(plan.region), week=str(plan.target), store=row["store_id"]),
        )
        for row in stores
    ]
    show_table("stores", f"Stores of {plan.region} for {plan.target}", _STORES, lines, empty="No store is in this plan.", sort="-look")


def _approval(view: View, plan: PlanOf) -> None:
    """Who approved the plan, and the button to do so."""
    st.subheader("Approval", anchor=False)
    decisions = decisions_on(view.reader, plan)
    latest = decisions[0] if decisions else None
    approved = latest is not None and latest["event"] == APPROVED
    st.markdown(plain(_state(view, latest)))
    if refused := st.session_state.pop(_REFUSED, ""):
        st.error(plain(refused))
    if not view.person.may_plan(str(plan.region)):
        st.caption("Planners of this region and operators approve it.")
        return
    note = st.text_input("Note", key="approval_note", placeholder="optional")
    event = ""
    label = f"Approve the plan of {region_name(str(plan.region))} for {day(plan.target)}{' again' if approved else ''}"
    with st.container(horizontal=True):
        if is_pressed(st.button(label, type="primary", key="approve")):
            event = APPROVED
        if approved and is_pressed(st.button("Withdraw the approval", key="withdraw")):
            event = "approval withdrawn"
    seen = shown_before(f"plan {plan.region} {plan.target}", standing_of(view.reader, plan))
    if event:
        try:
            decide_on_plan(view.lake, view.person, plan.region, plan.target, event, note, seen)
        except ShelfcastError as error:
            st.session_state[_REFUSED] = str(error)
        view.reader.forget_versions()
        st.rerun()


def _state(view: View, latest: Row | None) -> str:
    if latest is None:
        return "Nobody has approved this plan yet."
    since = f" {counted(view.numbers, latest['edits_since'], 'edit')} since then." if latest["edits_since"] else ""
    if latest["event"] == APPROVED and latest["made_again"]:
        since = f" The plan was made again since then: {counted(view.numbers, latest['units_now'], 'unit')} now."
    said = f"{latest['event'].capitalize()} by {latest['person']}, {moment(latest['event_time'])}"
    return f"{said}: {counted(view.numbers, latest['units'], 'unit')}, {counted(view.numbers, latest['edits'], 'edited line')}.{since}"
