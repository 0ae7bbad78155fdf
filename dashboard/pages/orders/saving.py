"""Edits of a store that are not saved yet: what they cost, the reason, and saving them; and those on record, with the way to take them back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from dashboard.pages.orders.entering import REFUSED, SAVED
from dashboard.pages.orders.reason import ask_why
from dashboard.pages.orders.told import said, told
from dashboard.parts.numbers import moment
from dashboard.parts.pressing import is_pressed, refuse_unseen, shown_before
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View
from dashboard.parts.words import counted, plain
from dashboard.queries.orders.basket import difference
from dashboard.queries.orders.plans import PlanOf, edits_of
from dashboard.queries.orders.unsaved import units_wanted
from orchestration.service.orders import edit_plan
from transforms.errors import ShelfcastError
from transforms.orders.record import Change
from transforms.rows import Row


def show_basket(view: View, plan: PlanOf, lines: Sequence[Row], basket: Mapping[str, Change], seen: Mapping[str, int]) -> None:
    """What the edits that are not saved yet would change, and the buttons to save or drop them."""
    change = difference(lines, units_wanted(basket))
    planned = {row["product_id"] for row in lines}
    with st.container(border=True):
        if gone := [product for product in basket if product not in planned]:
            st.warning(plain(f"Not in the plan any more, so that what you entered for them is not saved: {', '.join(gone)}."))
        st.markdown(f"**{counted(view.numbers, change.lines, 'line')} changed, not saved.** {told(view, change)}")
        pressed, reason, note = ask_why("")
        before = shown_before(f"basket {plan.region} {plan.target} {next(iter(basket.values())).store_id}", dict(basket))
        if pressed and before != basket:
            refuse_unseen("what you entered (in another tab, or just now)")
        elif pressed == "drop":
            view.unsaved.drop(plan.region, plan.target, list(basket.values()))
            st.rerun()
        elif pressed == "save":
            changes = [replace(wanted, seen=seen.get(product, wanted.seen)) for product, wanted in basket.items() if product in planned]
            _save(view, plan, changes, list(basket.values()), reason, note)


def show_saved() -> None:
    """Say what became of what was entered or saved last, until a page was drawn to its end."""
    if words := st.session_state.get(REFUSED):
        st.error(plain(words))
    if words := st.session_state.get(SAVED):
        st.success(plain(words))


def forget_said() -> None:
    """It has been read: an entry that came at the same time would have drawn the page anew before."""
    for name in (REFUSED, SAVED):
        st.session_state.pop(name, None)


def show_edits(view: View, plan: PlanOf, store: str, planned: set[str]) -> None:
    """Who edited this store's plan of the week, and the way to take that back."""
    edits = edits_of(view.reader, plan, store)
    if not edits:
        return
    st.subheader("Edits", anchor=False)
    columns = (
        Column("product", "Product", phone=True),
        Column("change", "From, to", "Units to load before and after", number=True, phone=True),
        Column("planned", "Plan said", number=True),
        Column("person", "Who and why", phone=True),
        Column("when", "When"),
    )
    rows = [
        Line(
            f"{row['product_id']}|{row['edited_at']}",
            {
                "product": Cell(row["product_name"] or row["product_id"], small=row["product_id"]),
                "change": Cell(f"{row['quantity_from']} to {'the plan' if row['quantity_to'] is None else row['quantity_to']}", row["quantity_to"]),
                "planned": Cell(str(row["planned_quantity"]), row["planned_quantity"]),
                "person": Cell(f"{row['person']}: {row['reason']}", small=row["note"] or ""),
                "when": Cell(moment(row["edited_at"]), row["edited_at"].isoformat()),
            },
        )
        for row in edits
    ]
    show_table("edits", f"Edits of store {store}", columns, rows, empty="")
    in_force = {row["product_id"]: row["quantity_to"] for row in reversed(edits) if row["product_id"] in planned}
    mine = {product: quantity for product, quantity in in_force.items() if quantity is not None}
    before = shown_before(f"edits {plan.region} {plan.target} {store}", mine)
    if not (mine and view.person.may_plan(str(plan.region))):
        return
    if is_pressed(st.button("Take all edits of this store back", key="take_back")):
        if before != mine:
            refuse_unseen("its edits")
        else:
            _save(view, plan, [Change(store, product, None, quantity) for product, quantity in mine.items()], [], "other", "taken back")


def _save(view: View, plan: PlanOf, changes: Sequence[Change], waiting: Sequence[Change], reason: str, note: str) -> None:
    try:
        done = edit_plan(view.lake, view.person, plan.region, plan.target, changes, reason, note)
    except ShelfcastError as error:
        st.error(plain(str(error)))
        return
    view.unsaved.drop(plan.region, plan.target, waiting)
    view.reader.forget_versions()
    st.session_state[SAVED] = said(view, done)
    st.rerun()
