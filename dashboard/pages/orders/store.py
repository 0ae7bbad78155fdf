"""Orders, one store: its lines, exceptions first, with edits in place. An edit shows what it costs at once and is saved with its reason."""

import html
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.pages.orders.reason import ask_why
from dashboard.pages.orders.told import said, told
from dashboard.parts.numbers import moment
from dashboard.parts.states import lead
from dashboard.parts.table import Cell, Column, Edit, Line, show_table
from dashboard.parts.view import View, address
from dashboard.parts.words import counted, plain
from dashboard.queries.orders.basket import difference
from dashboard.queries.orders.lines import WEEKS_BACK, PlanOf, edits_of, lines_of
from orchestration.service.orders import by_per_cent, edit_plan
from transforms.errors import ShelfcastError
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
Basket = dict[str, Change]
"""What is wanted, by product."""


def show_store(view: View, plan: PlanOf, store: str, name: str, answer: DeltaGenerator) -> None:
    """Draw the page of one store, the answer into its place above the pickers."""
    lines = lines_of(view.reader, plan, store)
    may = view.person.may_plan(str(plan.region))
    basket = _basket(plan, store)
    look = [row for row in lines if row["look"]]
    with answer:
        _lead(view, lines, store, name)
    # Always there, though mostly empty: what moves to another place on the page is drawn anew by Streamlit, and loses what is being typed into it.
    with st.container():
        _show_saved()
    with st.container(key="basket"):
        if may and basket:
            _show_basket(view, plan, lines, basket, _drawn_before(plan, store, lines))
    for key, title, rows in (("look", "Lines to look at", look), ("rest", "All other lines", [row for row in lines if not row["look"]])):
        st.subheader(f"{title} ({len(rows)})", anchor=False)
        shown = [_line(view, plan, row, basket, may) for row in rows]
        entered = show_table(key, f"{title} of store {store}", _COLUMNS, shown, empty="None: nothing is out of the ordinary here.")
        if may and entered:
            _put(store, basket, lines, entered)
    if may:
        _by_per_cent(lines, basket)
    _show_edits(view, plan, store, {row["product_id"] for row in lines})


def _lead(view: View, lines: Sequence[Row], store: str, name: str) -> None:
    number = view.numbers
    units, last = (sum(row[column] for row in lines) for column in ("order_quantity", "last_week"))
    cases, look = sum(row["order_quantity"] // (row["case_pack"] or 1) for row in lines), sum(bool(row["look"]) for row in lines)
    lead(
        f"{html.escape(name)}, store {html.escape(store)}: <b>{number.whole(units)} units</b> in {number.whole(cases)} cases; last week "
        f"{number.whole(last)}. <b>{counted(number, look, 'line')} need{'s' if look == 1 else ''} a look.</b>"
    )


def _basket(plan: PlanOf, store: str) -> Basket:
    """What was entered and not saved yet: it stays while this person looks at other stores."""
    baskets: dict[str, Basket] = st.session_state.setdefault("baskets", {})
    return baskets.setdefault(_of(plan, store), {})


def _of(plan: PlanOf, store: str) -> str:
    return f"{plan.region}|{plan.target}|{plan.origin}|{store}"


def _drawn_before(plan: PlanOf, store: str, lines: Sequence[Row]) -> dict[str, int]:
    """Units to load by product as the page showed them when a button was pressed: by now somebody else may have changed them."""
    drawn: dict[str, dict[str, int]] = st.session_state.setdefault("drawn", {})
    key = _of(plan, store)
    now = {row["product_id"]: int(row["order_quantity"]) for row in lines}
    before = drawn.get(key, now)
    drawn[key] = now
    return before


def _wanted(basket: Basket) -> dict[str, int]:
    """Units wanted, by product."""
    return {product: change.quantity for product, change in basket.items() if change.quantity is not None}


def _put(store: str, basket: Basket, lines: Sequence[Row], entered: Sequence[Edit]) -> None:
    """Take what was entered, in whole cases; what is to be loaded anyway is no change."""
    planned = {row["product_id"]: row for row in lines}
    for edit in (edit for edit in entered if edit.row in planned):
        row = planned[edit.row]
        pack = int(row["case_pack"] or 1)
        quantity = round(edit.value / pack) * pack
        if quantity != edit.value:
            st.session_state["saved"] = f"{row['product_name'] or edit.row} comes in cases of {pack}: {edit.value:g} units became {quantity}."
        basket.pop(edit.row, None)
        if quantity != row["order_quantity"]:
            basket[edit.row] = Change(store, edit.row, quantity, row["order_quantity"])
    st.rerun()


def _line(view: View, plan: PlanOf, row: Row, basket: Basket, may: bool) -> Line:
    number, quantity = view.numbers, _wanted(basket).get(row["product_id"], int(row["order_quantity"]))
    pack = int(row["case_pack"] or 1)
    by = f"planned {number.whole(row['planned_quantity'])}; {row['person']}: {row['reason']}" if row["edited"] else ""
    unsaved = f"not saved; was {number.whole(row['order_quantity'])}" if row["product_id"] in basket else by
    return Line(
        row["product_id"],
        {
            "product": Cell(
                row["product_name"] or f"Product {row['product_id']}", small=", ".join(filter(None, (row["category"], row["product_id"])))
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


def _show_basket(view: View, plan: PlanOf, lines: Sequence[Row], basket: Basket, seen: dict[str, int]) -> None:
    """What the edits that are not saved yet would change, and the buttons to save or drop them."""
    change = difference(lines, _wanted(basket))
    planned = {row["product_id"] for row in lines}
    with st.container(border=True):
        if gone := [product for product in basket if product not in planned]:
            st.warning(plain(f"Not in the plan any more, so that what you entered for them is not saved: {', '.join(gone)}."))
        st.markdown(f"**{counted(view.numbers, change.lines, 'line')} changed, not saved.** {told(view, change)}")
        pressed, reason, note = ask_why("")
        if pressed == "drop":
            basket.clear()
            st.rerun()
        if pressed == "save":
            changes = [replace(wanted, seen=seen.get(product, wanted.seen)) for product, wanted in basket.items() if product in planned]
            _save(view, plan, basket, changes, reason, note)


def _save(view: View, plan: PlanOf, basket: Basket, changes: Sequence[Change], reason: str, note: str) -> None:
    try:
        done = edit_plan(view.lake, view.person, plan.region, plan.target, changes, reason, note)
    except ShelfcastError as error:
        st.error(plain(str(error)))
        return
    basket.clear()
    view.reader.forget_versions()
    st.session_state["saved"] = said(view, done)
    st.rerun()


def _show_saved() -> None:
    if words := st.session_state.pop("saved", ""):
        st.success(plain(words))


def _by_per_cent(lines: Sequence[Row], basket: Basket) -> None:
    """Change a category, or the whole store, by per cent."""
    categories = sorted({row["category"] for row in lines if row["category"]})
    with st.expander("Change many lines by per cent"):
        left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
        category = left.selectbox("Lines", ["The whole store", *categories], key="bulk_category")
        per_cent = middle.number_input("Per cent", min_value=-100, max_value=500, value=10, step=5, key="bulk_per_cent")
        if right.button("Put in", key="bulk"):
            chosen = [row for row in lines if category in {"The whole store", row["category"]}]
            for change in by_per_cent(chosen, float(per_cent)):
                if change.quantity != change.seen:
                    basket[change.product_id] = change
            st.rerun()


def _show_edits(view: View, plan: PlanOf, store: str, planned: set[str]) -> None:
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
    in_force = {row["product_id"]: row for row in reversed(edits)}
    mine = [product for product, row in in_force.items() if row["quantity_to"] is not None and product in planned]
    if mine and view.person.may_plan(str(plan.region)) and st.button("Take all edits of this store back", key="take_back"):
        changes = [Change(store, product, None, in_force[product]["quantity_to"]) for product in mine]
        _save(view, plan, {}, changes, "other", "taken back")
