"""Scoring: what will this store sell of this, and how sure is it? For those who use the forecasts; how models came to be so stands on Training."""

import html
from collections.abc import Sequence
from datetime import date

import streamlit as st

from dashboard.pages.scoring_charts import FAN_COLUMNS, fan_chart, fan_rows, waterfall_chart, waterfall_rows
from dashboard.parts.charts import show_chart
from dashboard.parts.numbers import MISSING, dated, day
from dashboard.parts.selection import pick
from dashboard.parts.states import empty, lead
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View, current
from dashboard.parts.words import counted, region_name
from dashboard.queries.scoring import actuals, forecast_products, forecast_regions, forecast_stores, forecasts, kept_parts, newest_origin, newest_week
from transforms.calendar import Week
from transforms.contracts.gold import FORECASTS, STALE_DAYS
from transforms.contracts.rungs import CHALLENGER, CHAMPION, RUNGS
from transforms.lake.tables import Lake
from transforms.rows import Row

_SPANS = {"26": "26 weeks", "52": "a year", "104": "two years"}
_MOVED = (
    Column("made", "Made with data up to", phone=True),
    Column("expected", "Forecast", "Mean of the demand, in units", number=True, phone=True),
    Column("band", "80 % band", "Demand lies in it four times out of five", number=True, phone=True),
    Column("moved", "Moved by", "Units more or less than the forecast of the row above", number=True),
    Column("off", "Off by", "Forecast minus what was sold, in units", number=True),
    Column("by", "Made by"),
)


def show() -> None:
    """Draw the page."""
    view = current()
    regions = forecast_regions(view.reader)
    if not regions:
        empty("There is no forecast yet.", "`shelfcast run` makes forecasts once deliveries have landed.")
        return
    answer, places = st.container(), st.columns([2, 3, 3])
    with places[0]:
        region = pick("Region", "region", regions, default=regions[0], words=region_name)
    origin, known = newest_origin(view.reader, region), newest_week(view.reader, region)
    if origin is None:
        return
    known = known or origin
    stores = forecast_stores(view.reader, region, origin)
    with places[1]:
        store = pick("Store", "store", list(stores), default=next(iter(stores)), words=lambda id_: f"{stores[id_]} ({id_})")
    products = forecast_products(view.reader, region, store, origin)
    with places[2]:
        product = pick("Product", "product", list(products), default=next(iter(products)), words=lambda id_: f"{products[id_]} ({id_})")
    chart = st.container()
    with st.container(horizontal=True):
        span = pick("Weeks shown", "weeks", list(_SPANS), default="26", words=_SPANS.__getitem__)
        first = min(known + (1 - int(span)), origin + 1)
        made = forecasts(view.reader, region, store, product, first)
        leads = sorted({str(row["horizon"]) for row in made}, key=int)
        ahead = pick("Past forecasts made", "lead", leads, default=leads[0], words=lambda h: counted(view.numbers, int(h), "week") + " ahead")
    sold = actuals(view.reader, region, store, product, first, known)
    what = f"{products[product]}, {stores[store]}"
    with answer:
        _lead(view, what, [row for row in made if row["origin_week"] == origin.monday], sold, known)
    with chart:
        _fan(view, made, sold, known, int(ahead), what)
    targets = sorted({row["target_week"] for row in made}, reverse=True)
    upcoming = str((origin + 1).monday)
    target = date.fromisoformat(
        pick("Target week", "week", [str(week) for week in targets], default=upcoming, words=lambda week: dated(date.fromisoformat(week)))
    )
    of_target = [row for row in made if row["target_week"] == target]
    came = next((row for row in sold if row["week"] == target), None)
    _moved(view, of_target, came, target)
    _why(view, region, store, product, of_target[-1])


def _lead(view: View, what: str, newest: Sequence[Row], sold: Sequence[Row], known: Week) -> None:
    number, first = view.numbers, newest[0]
    week, last = Week(first["target_week"]), sold[-1] if sold else None
    when = f"next week ({day(week)})" if week == known + 1 else f"in the week of {dated(week)}"
    if first["ended"] is not None:
        forecast = f"nothing is expected any more ({html.escape(first['ended'])})"
    else:
        forecast = f"<b>{number.units(first['expected'])}</b> ({number.units(first['q10'])} to {number.units(first['q90'])}) {when}"
    if last is None:
        before = "nothing was delivered yet"
    elif last["shipped"]:
        before = f"last week {number.units(last['demand'])} of {number.units(last['shipped'])} sold"
    else:
        before = "nothing was delivered last week"
    lead(f"{html.escape(what)}: {forecast}; {before}.")
    made = (
        f"Made with data up to {dated(first['origin_week'])} by {_made_by(first)}. In brackets the band that demand lies in four times out of five."
    )
    st.caption(made, help=f"{first['rung_reason'] or ''}")
    if first["is_stale"]:
        st.warning(f"The model behind this is stale: trained at {dated(first['trained_week'])}, more than {STALE_DAYS} days before the forecast.")


def _made_by(row: Row) -> str:
    """What made a forecast, in words: a champion is only called a model."""
    if row["rung"] == CHAMPION:
        return f"the model trained at {dated(row['trained_week'])}"
    words = "a challenger in an A/B test" if row["rung"] == CHALLENGER else f"the {RUNGS.get(row['rung'], row['rung'])}"
    return f"{words} of {dated(row['trained_week'])}"


def _fan(view: View, made: Sequence[Row], sold: Sequence[Row], known: Week, ahead: int, what: str) -> None:
    past = [row for row in made if row["target_week"] <= known.monday and row["horizon"] == ahead]
    # By target, the last of which is the one with the shortest lead.
    coming = {row["target_week"]: row for row in made if row["target_week"] > known.monday}
    data = fan_rows(view.numbers, sold, [*past, *coming.values()], known)
    described = f"{what}: units sold a week, forecasts made {ahead} weeks ahead of them, and the forecast of the weeks to come with its band of 80 %."
    show_chart(fan_chart(data, known, f"forecast {counted(view.numbers, ahead, 'week')} ahead"), described, data, "forecast", FAN_COLUMNS)


def _moved(view: View, rows: Sequence[Row], came: Row | None, target: date) -> None:
    number, before = view.numbers, None
    lines: list[Line] = []
    st.header(f"How the forecast of {dated(target)} moved", anchor=False)
    for row in rows:
        moved: float | None = None if before is None else row["expected"] - before
        off = None if came is None else row["expected"] - came["demand"]
        cells = {
            "made": Cell(day(row["origin_week"]), str(row["origin_week"]), small=counted(number, row["horizon"], "week") + " ahead"),
            "expected": Cell(number.units(row["expected"]), row["expected"]),
            "band": Cell(f"{number.units(row['q10'])} to {number.units(row['q90'])}", row["q90"] - row["q10"]),
            "moved": Cell(number.signed_units(moved) if moved is not None else "", moved),
            "off": Cell(number.signed_units(off) if off is not None else "", off),
            "by": Cell(
                _made_by(row), small="stale" if row["is_stale"] else "", help=row["rung_reason"] or "", tone="look" if row["is_stale"] else ""
            ),
        }
        lines.append(Line(str(row["origin_week"]), cells))
        before = row["expected"]
    if came is not None:
        sold = Cell(number.units(came["demand"]), came["demand"], small=f"of {number.units(came['shipped'])} shipped")
        lines.append(Line("came", {"made": Cell("What was sold", "9999"), "expected": sold, "band": Cell(MISSING if rows == [] else "")}))
    show_table("moved", f"Forecasts of {dated(target)}", _MOVED, lines, empty="No forecast was made of this week.")


def _why(view: View, region: str, store: str, product: str, forecast: Row) -> None:
    st.header("Why this number", anchor=False)
    origin, target = forecast["origin_week"], forecast["target_week"]
    parts = kept_parts(view.reader, region, store, product, origin, target)
    asked = f"why {region} {store} {product} {origin} {target}"
    if not parts:
        st.caption("The models that made this forecast can be asked what adds up to it: that takes some seconds.")
        if st.button("Ask the models", key="ask") or asked in st.session_state:
            st.session_state[asked] = True
            parts = _asked(view.lake, view.reader.version(FORECASTS.name), region, store, product, origin, target)
    if not parts:
        return
    if forecast["ended"] is not None:
        st.caption(f"Nothing is expected: {forecast['ended']}.")
        return
    data, number = waterfall_rows(view.numbers, parts), view.numbers
    sentence = f"What each group of facts adds to or takes off the forecast of {dated(target)}, made with data up to {dated(origin)}, in units."
    st.caption(f"{sentence} The bars add up exactly to {number.units(parts['expected'])}.")
    show_chart(waterfall_chart(data), sentence, data, "why", {"what": "What", "change": "Units"})


@st.cache_data(show_spinner="Asking the models that made this forecast ...", max_entries=500, hash_funcs={Lake: lambda lake: lake.root})
def _asked(
    lake: Lake,
    version: int | None,  # noqa: ARG001 - an origin that was run again is asked about anew
    region: str,
    store: str,
    product: str,
    origin: date,
    target: date,
) -> Row:
    # What loads models stays out of the process until somebody asks.
    from orchestration.service.why import why  # noqa: PLC0415

    return why(lake, region, store, product, Week(origin), Week(target)).parts
