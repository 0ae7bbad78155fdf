"""Orders, one store: its lines, exceptions first, with edits in place. An edit shows what it costs at once and is saved with its reason."""

import html
from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.pages.orders.entering import put, show_per_cent, shown_of
from dashboard.pages.orders.saving import forget_said, show_basket, show_edits, show_saved
from dashboard.parts.numbers import day
from dashboard.parts.pressing import shown_before
from dashboard.parts.states import lead
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View, address
from dashboard.parts.words import counted
from dashboard.queries.orders.lines import WEEKS_BACK, lines_of
from dashboard.queries.orders.plans import PlanOf
from dashboard.queries.orders.unsaved import units_wanted
from transforms.orders.record import Change
from transforms.rows import Row

_COLUMNS = (
    Column("product", "Product", phone=True),
    Column("look", "Why to look", "What is out of the ordinary about this line"),
    Column("past", f"Last {WEEKS_BACK} weeks", "Units delivered, week by week", number=True),
    Column("last", "Last week", "Units delivered in the newest week", number=True),
    Column("expected", "Expected demand", "Mean of the demand forecast in units, and between what it lies 8 times of 10", number=True, phone=True),
    Column("load", "To load, units", "Units to load: enter another number to edit", number=True, phone=True, edit=True),
    Column("cases", "Cases", "Cases to load", number=True),
    Column("returns", "Expected returns", "Mean of the units left over", number=True),
    Column("lost", "Expected lost sales", "Mean of the demand not met, in units", number=True),
)


def show_store(view: View, plan: PlanOf, store: str, name: str, answer: DeltaGenerator) -> None:
    """Draw the page of one store, the answer into its place above the pickers."""
    lines = lines_of(view.reader, plan, store)
    may = view.person.may_plan(str(plan.region))
    loaded = {row["product_id"]: int(row["order_quantity"]) for row in lines}
    shown, basket = shown_of(view, plan, store), _unsaved(view, plan, store, loaded)
    before = shown_before(f"lines {shown}", loaded)
    look = [row for row in lines if row["look"]]
    with answer:
        _lead(view, plan, lines, store, name)
    # Always there, though mostly empty: what moves to another place on the page is drawn anew by Streamlit, and loses what is being typed into it.
    with st.container():
        show_saved()
    with st.container(key="basket"):
        if basket and may:
            show_basket(view, plan, lines, basket, before)
        elif basket:
            count = counted(view.numbers, len(basket), "line")
            st.warning(f"You entered {count} here and may not save them any more: planners of this region and operators can.")
    for key, title, rows in (("look", "Lines to look at", look), ("rest", "All other lines", [row for row in lines if not row["look"]])):
        st.subheader(f"{title} ({len(rows)})", anchor=False)
        rows_shown = [_line(view, plan, row, basket if may else {}, may) for row in rows]
        nothing = "None: nothing is out of the ordinary here."
        if entered := show_table(key, f"{title} of store {store}", _COLUMNS, rows_shown, empty=nothing, of=shown):
            put(view, entered)
    if may:
        show_per_cent(view, plan, lines, units_wanted(basket))
    show_edits(view, plan, store, {row["product_id"] for row in lines})
    forget_said()


def _unsaved(view: View, plan: PlanOf, store: str, loaded: Mapping[str, int]) -> dict[str, Change]:
    """What this person entered here, but for what is loaded by now: a process that was killed while it saved had put that on record."""
    found = view.unsaved.of(plan.region, plan.target, store)
    done = [change for product, change in found.items() if loaded.get(product) == change.quantity]
    if done:
        view.unsaved.drop(plan.region, plan.target, done)
    return {product: change for product, change in found.items() if change not in done}


def _lead(view: View, plan: PlanOf, lines: Sequence[Row], store: str, name: str) -> None:
    number = view.numbers
    units, last = (sum(row[column] for row in lines) for column in ("order_quantity", "last_week"))
    cases, look = sum(row["order_quantity"] // (row["case_pack"] or 1) for row in lines), sum(bool(row["look"]) for row in lines)
    lead(
        f"{html.escape(name)}, store {html.escape(store)}, week of {day(plan.target)}: <b>{number.whole(units)} units</b> in {number.whole(cases)} "
        f"cases; last week {number.whole(last)}. <b>{counted(number, look, 'line')} need{'s' if look == 1 else ''} a look.</b>"
    )


def _line(view: View, plan: PlanOf, row: Row, basket: Mapping[str, Change], may: bool) -> Line:
    number, quantity = view.numbers, units_wanted(basket).get(row["product_id"], int(row["order_quantity"]))
    pack = int(row["case_pack"] or 1)
    by = f"planned {number.whole(row['planned_quantity'])}; {row['person']}: {row['reason']}" if row["edited"] else ""
    unsaved = f"not saved; was {number.whole(row['order_quantity'])}" if row["product_id"] in basket else by
    return Line(
        row["product_id"],
        {
            "product": Cell(
                row["product_name"] or f"Product {row['product_id']}",
                small=", ".join(filter(None, (row["category"], row["product_id"]))),
                phone="; ".join(row["look"]),
            ),
            "look": Cell("; ".join(row["look"])),
            "past": Cell(
                f"delivered {', '.join('none' if units is None else str(units) for units in row['past'])}", row["past"][-1], spark=row["past"]
            ),
            "last": Cell(number.whole(row["last_week"]), row["last_week"]),
            "expected": Cell(number.three(row["expected"]), row["expected"], small=f"{number.whole(row['q10'])} to {number.whole(row['q90'])}"),
            "load": Cell(number.whole(quantity), quantity, small=unsaved, edit=may, step=int(pack)),
            "cases": Cell(number.places(quantity / pack, 0 if quantity % pack == 0 else 1), quantity / pack),
            "returns": Cell(number.three(row["expected_returns"]), row["expected_returns"]),
            "lost": Cell(number.three(row["expected_lost_sales"]), row["expected_lost_sales"]),
        },
        href=address("scoring", region=str(plan.region), store=row["store_id"], product=row["product_id"]),
        tone="look" if row["product_id"] in basket else "",
    )
