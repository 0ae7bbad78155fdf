"""What stood on record at a moment beside the plan: edits, champions, the weather as it was forecast, and the version of the data."""

import json
from collections.abc import Sequence

import streamlit as st

from dashboard.parts.numbers import dated, moment
from dashboard.parts.states import empty
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View, address
from dashboard.parts.words import plain, region_name, segment_name
from dashboard.queries import time_machine as queries
from dashboard.queries.time_machine import Then
from transforms.rows import Row


def show_records(view: View, seen: Then) -> None:
    """Edits of the plan and decisions on it."""
    st.subheader("Edits and approvals by then", anchor=False)
    columns = (
        Column("what", "What", phone=True),
        Column("change", "From, to", "Units to load before and after", number=True, phone=True),
        Column("who", "Who and why", phone=True),
        Column("when", "When"),
    )
    rows = [
        Line(
            f"{place}",
            {
                "what": Cell(row["what"], small=f"store {row['store_id']}, product {row['product_id']}" if row["store_id"] else "the region's plan"),
                "change": _change(view, row),
                "who": Cell(row["person"], small=row["why"] or ""),
                "when": Cell(moment(row["moment"]), row["moment"].isoformat()),
            },
        )
        for place, row in enumerate(queries.records_then(view.reader, seen))
    ]
    show_table("records", "Edits and approvals as seen then", columns, rows, empty="Nobody had edited or approved it.")


def _change(view: View, row: Row) -> Cell:
    if row["store_id"] is None:
        return Cell(f"{view.numbers.whole(row['quantity_to'])} in all", row["quantity_to"])
    return Cell(f"{row['quantity_from']} to {'the plan' if row['quantity_to'] is None else row['quantity_to']}", row["quantity_to"])


def show_champions(view: View, seen: Then) -> None:
    """Which models served, and who had let them."""
    st.subheader("Champions", anchor=False)
    columns = (
        Column("model", "Model", phone=True),
        Column("trained", "Trained at", phone=True),
        Column("error", "Error", "MAPE on the weeks held back in training", number=True, phone=True),
        Column("since", "Champion from origin"),
        Column("by", "By whom and why"),
    )
    rows = []
    for row in queries.champions_then(view.reader, seen):
        error = json.loads(row["metrics"]).get("mape")
        cells = {
            "model": Cell(f"{region_name(row['region'])}, {segment_name(row['format'], row['mover'])}", small=row["model_version"]),
            "trained": Cell(dated(row["trained_week"]), str(row["trained_week"])),
            "error": Cell(view.numbers.percent(error, 1), error),
            "since": Cell(dated(row["since"]), str(row["since"])),
            "by": Cell(row["actor"], small=row["reason"]),
        }
        rows.append(Line(row["model_version"], cells, href=address("training", version=row["model_version"])))
    show_table("champions", "Champions as seen then", columns, rows, empty="No model had been made champion for this origin.")


def show_weather(view: View, weather: Sequence[Row]) -> None:
    """The week's weather as it was forecast."""
    st.subheader("Weather of the week, as it was forecast", anchor=False)
    columns = (
        Column("place", "Place", phone=True),
        Column("warm", "Low to high, °C", "Means of the days' lows and highs", number=True, phone=True),
        Column("rain", "Rain, mm", "Sum of the week", number=True, phone=True),
        Column("basis", "Rests on"),
    )
    places = view.numbers.places
    rows = [
        Line(
            row["place"],
            {
                "place": Cell(row["place"]),
                "warm": Cell(f"{places(row['tmin_c'])} to {places(row['tmax_c'])}", row["tmax_c"]),
                "rain": Cell(places(row["precip_mm"]), row["precip_mm"]),
                "basis": Cell(
                    f"{row['basis'] or 'unknown'}, {row['forecast_days']} of 7 days forecast",
                    small=f"issued {moment(row['last_issued_at'])}" if row["last_issued_at"] else "",
                ),
            },
        )
        for row in weather
    ]
    show_table("weather", "Weather as seen then", columns, rows, empty="The data of then hold no weather of this week.")


def show_data(view: View, data: Row) -> None:
    """The version of the data that all this was made of."""
    st.subheader("Data", anchor=False)
    if not data:
        empty("No version of the data was on record then.", "Weeks before the record began cannot be told.")
        return
    decided = f"{data['event'].capitalize()} by {data['actor']}: {data['reason']}" if data["event"] else "Nothing had been decided on it"
    tables = ", ".join(f"{table} {version}" for table, version in json.loads(data["delta_versions"]).items())
    st.markdown(
        f"Version **{plain(data['dataset_version'])}**, recorded on {moment(data['recorded_at'])}: deliveries up to the week of "
        f"{dated(data['last_week'])}, {view.numbers.whole(data['rows'])} rows of demand. {plain(decided)}. Tables at versions: {plain(tables)}."
    )
