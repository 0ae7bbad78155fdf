"""What if: what would this plan change? For planners and stakeholders: the same models, asked again; nothing is stored."""

import html
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.parts.numbers import Numbers, dated, day
from dashboard.parts.selection import pick
from dashboard.parts.states import empty, lead
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View, address, current
from dashboard.parts.words import region_name
from dashboard.queries.scoring import forecast_regions, forecast_stores, newest_origin
from dashboard.queries.what_if import planned, region_products, target_weeks
from transforms.calendar import Week
from transforms.contracts.gold import FORECASTS
from transforms.lake.tables import Lake
from transforms.rows import Row

if TYPE_CHECKING:
    from orchestration.service.what_if import WhatIf

_PROMOTIONS = ("", "0", "5", "10", "15", "20", "25", "30", "40", "50")
_DEGREES = ("-10", "-5", "-3", "0", "3", "5", "10")
_LEVELS = ("", "80", "85", "90", "95", "98", "99")
_SIDES = (
    Column("what", "What", phone=True),
    Column("before", "As planned", number=True),
    Column("after", "What if", number=True, phone=True),
    Column("change", "Difference", number=True, phone=True),
)
_MOVES = (
    Column("name", "Product", phone=True),
    Column("change", "Demand", "Difference of the mean demand, in units", number=True, phone=True),
    Column("before", "As planned", "Mean demand, in units", number=True),
    Column("after", "What if", "Mean demand, in units", number=True),
    Column("order", "Order", "Difference of the units to load", number=True, phone=True),
    Column("usd", "USD", "Difference of the margin of what is sold, less the cost of what is left over", number=True),
)
_SUMS = {
    "expected": "Expected demand, units",
    "order": "To load, units",
    "returns": "Expected returns, units",
    "lost_sales": "Expected lost sales, units",
    "usd": "Margin less cost of returns, USD",
}
_Choice = tuple[str, str, str, str]
"""Promotion, degrees, returns and service level, as the address holds them."""
_AS_IT_IS: _Choice = ("", "0", "", "")


def show() -> None:
    """Draw the page."""
    view = current()
    regions = forecast_regions(view.reader)
    if not regions:
        empty("There is no plan to ask about yet.", "`shelfcast run` makes one once deliveries have landed.")
        return
    answer, places = st.container(), st.columns([2, 3, 3, 2])
    with places[0]:
        region = pick("Region", "region", regions, default=regions[0], words=region_name)
    origin = newest_origin(view.reader, region)
    weeks = [] if origin is None else target_weeks(view.reader, region, origin)
    if origin is None or not weeks:
        with answer:
            empty(f"{region_name(region)} has no plan yet.", "`shelfcast run` makes one.")
        return
    stores, products = forecast_stores(view.reader, region, origin), region_products(view.reader, region, origin)
    with places[1]:
        store = pick("Store", "store", ["", *stores], default="", words=lambda id_: f"{stores[id_]} ({id_})" if id_ else "All stores")
    with places[2]:
        product = pick("Product", "product", ["", *products], default="", words=lambda id_: f"{products[id_]} ({id_})" if id_ else "All products")
    with places[3]:
        week = date.fromisoformat(
            pick("Week", "week", [str(one) for one in weeks], default=str(weeks[0]), words=lambda text: dated(date.fromisoformat(text)))
        )
    choice = _levers()
    where = f"{stores[store]}, {region_name(region)}" if store else region_name(region)
    what = products[product] if product else "all products"
    with answer:
        if choice == _AS_IT_IS:
            _as_planned(view, planned(view.reader, region, origin, week, store, product), what, where, week)
            return
        found = _asked(view.lake, view.reader.version(FORECASTS.name), region, Week(origin.monday), Week(week), store, product, choice)
        _lead(view.numbers, found, choice, what, where, week)
    for note in [*found.notes, *_other_products(choice)]:
        st.caption(f":material/info: {note}")
    if not found.pulled:
        return
    _sides(view.numbers, found.lines)
    if not (store and product):
        _moves(view, found.lines, "store_id" if product else "product_id", stores if product else products, region, store, product)


def _levers() -> _Choice:
    places = st.columns(4)
    with places[0]:
        promotion = pick("Promotion", "promotion", _PROMOTIONS, default="", words=lambda cut: _capital(_cut(cut)) if cut else "As planned")
    with places[1]:
        degrees = pick("Weather", "degrees", _DEGREES, default="0", words=lambda by: _capital(_warmer(by)) if by != "0" else "As forecast")
    with places[2]:
        returns = pick("Returns", "returns", ("", "none"), default="", words=lambda text: "None came back" if text else "As known")
    with places[3]:
        level = pick("Service level", "level", _LEVELS, default="", words=lambda text: f"{text} %" if text else "As it costs least")
    return promotion, degrees, returns, level


def _cut(cut: str) -> str:
    return "a promotion at full price" if cut == "0" else f"{cut} % off"


def _warmer(degrees: str) -> str:
    return f"{abs(int(degrees))} °C {'warmer' if int(degrees) > 0 else 'colder'}"


def _said(choice: _Choice) -> str:
    """What is otherwise, in words."""
    promotion, degrees, returns, level = choice
    parts = [
        _cut(promotion) if promotion else "",
        f"a week {_warmer(degrees)}" if degrees != "0" else "",
        "no returns" if returns else "",
        f"a service level of {level} %" if level else "",
    ]
    return _capital(" and ".join(part for part in parts if part))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _as_planned(view: View, plan: Row, what: str, where: str, week: date) -> None:
    number = view.numbers
    plans = f"<b>{number.three(plan['expected'])} units</b> expected and {number.three(plan['ordered'])} ordered"
    lead(f"{html.escape(_capital(what))} in {html.escape(where)}, week of {day(week)}: {plans} as planned. What would a lever change?")
    st.caption("The models that made the plan are asked again with what you choose. Nothing is stored, and the plan stays as it is.")


def _lead(number: Numbers, found: "WhatIf", choice: _Choice, what: str, where: str, week: date) -> None:
    if not found.pulled:
        lead(f"{html.escape(_said(choice))}: the models cannot tell what that would change.")
        return
    units, orders, usd = (_difference(found.lines, name) for name in ("expected", "order", "usd"))
    moved = f"<b>{number.signed(units)} units</b> of demand{_between(number, units, found.members)}, " if _moves_demand(choice) else ""
    subject = f"{_said(choice)}, {what} in {where}, week of {day(week)}"
    lead(f"{html.escape(subject)}: {moved}{number.signed(orders)} units to load, <b>USD {number.signed(usd)}</b> against the plan.")
    st.caption(
        "Nothing is stored, and the plan stays as it is.",
        help="In brackets what each kind of member of the models says. USD: expected margin of what is sold, less the cost of what is left over.",
    )


def _moves_demand(choice: _Choice) -> bool:
    return choice[:3] != _AS_IT_IS[:3]


def _between(number: Numbers, units: float, members: Mapping[str, float]) -> str:
    low, high = (number.signed(bound([units, *members.values()])) for bound in (min, max))
    return "" if len(members) < 2 or low == high else f" ({low} to {high})"


def _other_products(choice: _Choice) -> list[str]:
    return ["What a promotion takes from other products is not in this: the models know each product by its own promotions."] if choice[0] else []


def _difference(lines: Sequence[Row], name: str) -> float:
    return float(sum(row[f"after_{name}"] - row[f"before_{name}"] for row in lines))


def _sides(number: Numbers, lines: Sequence[Row]) -> None:
    st.header("Side by side", anchor=False)
    rows = []
    for name, words in _SUMS.items():
        before, after = (sum(row[f"{side}_{name}"] for row in lines) for side in ("before", "after"))
        cells = {"before": Cell(number.three(before), before), "after": Cell(number.three(after), after)}
        rows.append(Line(name, {"what": Cell(words), **cells, "change": Cell(number.signed(after - before), after - before)}))
    met = [sum(row[f"{side}_service_level"] for row in lines) / max(len(lines), 1) for side in ("before", "after")]
    shares = {"before": Cell(number.percent(met[0]), met[0]), "after": Cell(number.percent(met[1]), met[1])}
    points = 100 * (met[1] - met[0])
    change = Cell(f"{number.signed_units(points)} points", points)
    rows.append(Line("met", {"what": Cell("Lines whose demand is met"), **shares, "change": change}))
    show_table("sides", "As planned and what if", _SIDES, rows, empty="Nothing was planned.")


def _moves(view: View, lines: Sequence[Row], key: str, names: Mapping[str, str], region: str, store: str, product: str) -> None:
    """Differences by product, or by store where one product was chosen; the largest first."""
    number, of = view.numbers, "Store" if key == "store_id" else "Product"
    st.header(f"Largest moves by {of.lower()}", anchor=False)
    groups: dict[str, list[Row]] = {}
    for row in lines:
        groups.setdefault(row[key], []).append(row)
    rows = []
    for id_, mine in sorted(groups.items(), key=lambda item: -abs(_difference(item[1], "expected")) - 1e-3 * abs(_difference(item[1], "order"))):
        moved, ordered, usd = (_difference(mine, name) for name in ("expected", "order", "usd"))
        before, after = (sum(row[f"{side}_expected"] for row in mine) for side in ("before", "after"))
        cells = {
            "name": Cell(names.get(id_, id_), small=id_),
            "change": Cell(number.signed_units(moved), moved),
            "before": Cell(number.units(before), before),
            "after": Cell(number.units(after), after),
            "order": Cell(number.signed_units(ordered), ordered),
            "usd": Cell(number.signed(usd), usd),
        }
        chosen = {"store": store, "product": product, key.removesuffix("_id"): id_}
        rows.append(Line(id_, cells, href=address("scoring", region=region, **chosen) if all(chosen.values()) else ""))
    columns = (Column("name", of, phone=True), *_MOVES[1:])
    show_table("moves", f"Moves by {of.lower()}", columns, rows, empty="Nothing was planned.")


@st.cache_data(show_spinner="Asking the models that made the plan ...", max_entries=100, hash_funcs={Lake: lambda lake: lake.root, Week: str})
def _asked(
    lake: Lake,
    version: int | None,  # noqa: ARG001 - an origin that was run again is asked about anew
    region: str,
    origin: Week,
    target: Week,
    store: str,
    product: str,
    choice: _Choice,
) -> "WhatIf":
    # What loads models stays out of the process until somebody asks.
    from orchestration.service.what_if import Levers, what_if  # noqa: PLC0415

    promotion, degrees, returns, level = choice
    levers = Levers(bool(promotion), int(promotion or 0) / 100, float(degrees), bool(returns), int(level) / 100 if level else None)
    return what_if(lake, region, origin, target, levers, store or None, [product] if product else None)
