"""What is entered on the page of a store: taken into the store and week that the page showed then, in whole cases, and kept until it is saved."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from dashboard.parts.numbers import units_typed
from dashboard.parts.pressing import is_pressed
from dashboard.parts.table import Edit
from dashboard.parts.view import View
from dashboard.queries.orders.lines import lines_of
from dashboard.queries.orders.plans import PlanOf, planned_weeks
from orchestration.service.orders import by_per_cent
from transforms.contracts.orders import LARGEST_QUANTITY
from transforms.orders.record import Change
from transforms.rows import Row

_TOLD = 30
REFUSED, SAVED = "entry_refused", "saved"
"""Names of what the next drawing of the page says of an entry, or of what was saved."""


def shown_of(view: View, plan: PlanOf, store: str) -> str:
    """What a table of a store's lines is of, and whom it is shown: a tab may be somebody else's by the time that it says what was entered."""
    return json.dumps([view.person.name, str(plan.region), str(plan.target), store])


def put(view: View, entered: Sequence[Edit]) -> None:
    """Take what was entered into the store that the page showed then, and draw the page anew."""
    for edit in entered:
        try:
            person, region, target, store = map(str, json.loads(edit.of))
        except (ValueError, TypeError):
            # No page of ours says that.
            continue
        # None where nothing is planned any more.
        plan = next((plan for plan in planned_weeks(view.reader, region) if str(plan.target) == target), None)
        if plan is not None and person == view.person.name and view.person.may_plan(region):
            row = next((row for row in lines_of(view.reader, plan, store) if row["product_id"] == edit.row), None)
            if row is not None:
                _put_one(view, plan, row, edit)
    st.rerun()


def _put_one(view: View, plan: PlanOf, row: Row, edit: Edit) -> None:
    name, pack, units = row["product_name"] or edit.row, int(row["case_pack"] or 1), units_typed(edit.text)
    if units is None or not 0 <= units <= LARGEST_QUANTITY:
        came = f"{edit.text.strip()[:_TOLD]!r} is no number of units that can be loaded"
        st.session_state[REFUSED] = f"{name}: {came}; expected 0 to {view.numbers.whole(LARGEST_QUANTITY)}. Nothing was changed."
        return
    quantity = round(units / pack) * pack
    if quantity != units:
        st.session_state[SAVED] = f"{name} comes in cases of {pack}: {view.numbers.units(units)} units became {view.numbers.whole(quantity)}."
    change = Change(row["store_id"], edit.row, quantity, int(row["order_quantity"]))
    view.unsaved.keep(plan.region, plan.target, [change], edit.entered)


def show_per_cent(view: View, plan: PlanOf, lines: Sequence[Row], wanted: Mapping[str, int]) -> None:
    """Change a category, or the whole store, by per cent of what the page shows: of what is entered where something is."""
    categories = sorted({row["category"] for row in lines if row["category"]})
    with st.expander("Change many lines by per cent"):
        left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
        category = left.selectbox("Lines", ["The whole store", *categories], key="bulk_category")
        per_cent = middle.number_input("Per cent", min_value=-100, max_value=500, value=10, step=5, key="bulk_per_cent")
        if is_pressed(right.button("Put in", key="bulk")):
            chosen = [row for row in lines if category in {"The whole store", row["category"]}]
            loaded = {row["product_id"]: int(row["order_quantity"]) for row in chosen}
            entered = [{**row, "order_quantity": wanted.get(row["product_id"], row["order_quantity"])} for row in chosen]
            changes = [replace(change, seen=loaded[change.product_id]) for change in by_per_cent(entered, float(per_cent))]
            view.unsaved.keep(plan.region, plan.target, changes)
            st.rerun()
