"""The boards of Monitoring: error and drift by region and week, and the error of each model, as grids."""

from collections.abc import Sequence
from datetime import date

import streamlit as st

from dashboard.pages.monitoring.health import BOARD_WEEKS, Standing, error_of, report, show_rows
from dashboard.parts import states
from dashboard.parts.charts import show_chart
from dashboard.parts.grid import ABOVE, EXPECTED, NOT_MEASURED, Square, data_of, grid, shade
from dashboard.parts.numbers import Numbers, dated, day
from dashboard.parts.table import Cell, Column, Line
from dashboard.parts.view import View
from dashboard.parts.words import counted, listed, region_name, segment_name
from dashboard.queries import health as queries
from transforms.rows import Row

_CELL = {"row": "Region", "column": "Week", "told": "State"}


def show(view: View, state: Standing) -> None:
    """Draw them."""
    _error_board(view, state)
    _drift_board(view, state)
    _models(view, state)


def _error_board(view: View, state: Standing) -> None:
    st.subheader("Error by region and week", anchor=False)
    numbers, rows = view.numbers, queries.error_board(view.reader, BOARD_WEEKS)
    if not rows:
        states.empty("No forecast has met its week yet.", "The error is known once deliveries of a week that was forecast have landed.")
        return
    st.caption(f"Of forecasts of all leads. Orange and ▲: above the target of {numbers.percent(state.target)}; grey: not measured.")
    known = {(row["region"], row["week"]): row for row in rows}
    squares = [
        _error_square(numbers, state.target, region_name(region), day(week), known.get((region, week), {}))
        for region in sorted({row["region"] for row in rows})
        for week in sorted({row["week"] for row in rows})
    ]
    _draw(squares, "Error of each region and week against the target", "Error", "error_by_region_and_week")


def _error_square(numbers: Numbers, target: float, row: str, column: str, found: Row) -> Square:
    error = found.get("mape")
    if error is None:
        return Square(row, column, NOT_MEASURED, "-", "", "not measured")
    high, percent = error > target, numbers.percent(error)
    told = f"{percent}, target {numbers.percent(target)}"
    if found.get("baseline_mape") is not None:
        told += f", historical average {numbers.percent(found['baseline_mape'])}"
    return Square(row, column, ABOVE if high else EXPECTED, f"▲ {percent}" if high else percent, "▲" if high else "", told)


def _drift_board(view: View, state: Standing) -> None:
    st.subheader("Drift by region and week", anchor=False)
    if not state.drift:
        states.empty("No week has been watched for drift yet.", "Each weekly cycle does: shelfcast run.")
        return
    st.caption(
        "The darker, the dearer: USD in the region's week, estimated from units left over and missed (of the drifted column that costs most). "
        "Palest: as usual; grey: not measured. A cell opens its report; regions with the dearest drift come first."
    )
    numbers, known = view.numbers, {(row["region"], row["week"]): row for row in state.drift}
    dearest = max(1.0, *(row["money"] for row in state.drift))
    total = {region: sum(row["money"] for row in state.drift if row["region"] == region) for region, _ in known}
    squares = [
        _drift_square(numbers, dearest, region, week, known.get((region, week)))
        for region in sorted(total, key=lambda region: (-total[region], region))
        for week in sorted({week for _, week in known})
    ]
    _draw(squares, "Drift of each region and week by its price", "Drift", "drift_by_region_and_week")
    rows = sorted((row for row in state.drift if row["drifted"]), key=lambda row: (row["week"], row["money"]), reverse=True)
    columns = [
        Column("region", "Region", phone=True),
        Column("week", "Week", number=True, phone=True),
        Column("money", "USD", number=True, phone=True, help="In the region's week: estimated change of the cost of units left over and missed."),
        Column("drifted", "Columns", number=True),
        Column("columns", "What drifted"),
    ]
    nothing = f"No column drifted in any of the {len(known)} weeks and regions watched."
    show_rows("drift", "Drift", columns, [_drift_line(numbers, row) for row in rows], nothing)


def _drift_square(numbers: Numbers, dearest: float, region: str, week: date, found: Row | None) -> Square:
    row, column = region_name(region), day(week)
    if found is None:
        return Square(row, column, NOT_MEASURED, "-", "", "not measured")
    if not found["drifted"]:
        return Square(row, column, EXPECTED, "as usual", "", f"as usual, {found['watched']} columns watched", report(found))
    told = f"{numbers.usd(found['money'])} in the week; {listed(found['columns'])} drifted"
    return Square(row, column, shade(found["money"] / dearest), numbers.three(found["money"]), "◆", told, report(found))


def _drift_line(numbers: Numbers, row: Row) -> Line:
    cells = {
        "region": Cell(region_name(row["region"]), small="open the report"),
        "week": Cell(dated(row["week"]), row["week"].toordinal()),
        "money": Cell(numbers.three(row["money"]), row["money"]),
        "drifted": Cell(f"{row['drifted']} of {row['watched']}", row["drifted"]),
        "columns": Cell(", ".join(row["columns"])),
    }
    return Line(f"{row['region']}/{row['week']}", cells, report(row), "look")


def _models(view: View, state: Standing) -> None:
    st.subheader("Health of the models", anchor=False)
    if not state.models:
        states.empty("No model serves yet.", "The weekly cycle trains and promotes them: shelfcast run.")
        return
    numbers, weeks = view.numbers, queries.HEALTH_WEEKS
    ensembles = [model for model in state.models if model["mover"] != "all"]
    averages = [model for model in state.models if model["mover"] == "all"]
    good = [sum(error_of(state, model) <= state.target for model in models) for models in (ensembles, averages)]
    st.markdown(
        f"**{good[0]} of {counted(numbers, len(ensembles), 'ensemble')}** and {good[1]} of {counted(numbers, len(averages), 'historical average')} "
        f"are within {numbers.percent(state.target)} over the last {weeks} weeks."
    )
    order = sorted({(model["format"], model["mover"]) for model in state.models}, key=lambda found: (found[1] == "all", found))
    squares = []
    for region in sorted({model["region"] for model in state.models}):
        for segment in order:
            error = state.errors.get((region, *segment))
            squares.append(_error_square(numbers, state.target, region_name(region), _model_name(*segment), {"mape": error}))
    _draw(squares, f"Error of each model over the last {weeks} weeks against the target", "Error", "health_of_models", "Model")


def _model_name(format_: str, mover: str) -> str:
    return f"average, {segment_name(format_, mover)}" if mover == "all" else segment_name(format_, mover)


def _draw(squares: Sequence[Square], described: str, title: str, name: str, column: str = "Week") -> None:
    data = data_of(squares)
    chart = grid(data, list(dict.fromkeys(square.row for square in squares)), list(dict.fromkeys(square.column for square in squares)), title)
    show_chart(chart, described, data, name, {**_CELL, "column": column})
