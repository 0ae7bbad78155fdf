"""Monitoring: does anything need me now? For operations: causes with the command that ends each, steps, files. How models do is drawn by `health`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import streamlit as st

from dashboard.pages.monitoring import alerts, boards, causes, health
from dashboard.parts import states
from dashboard.parts.numbers import Numbers, dated, day, moment
from dashboard.parts.table import Cell, Column, Line, Tone, show_table
from dashboard.parts.view import View, current
from dashboard.parts.words import counted, listed, region_name
from dashboard.queries import monitoring as queries
from dashboard.queries.overview import data_waiting, newest_deliveries
from transforms.rows import Row

_UNBROKEN = "\u00a0"
_STATE_TONES: dict[str, Tone] = {"succeeded": "", "failed": "act", "skipped": "quiet"}
_STATE_WORDS = {"succeeded": "●\u00a0succeeded", "failed": "▲\u00a0failed", "skipped": "○\u00a0skipped"}


def show() -> None:
    """Draw the page."""
    view = current()
    state = health.standing(view.reader)
    failed, refused = queries.failed_steps(view.reader), queries.refused_files(view.reader)
    found = causes.causes_of(view, state, failed, refused)
    ran = queries.last_run(view.reader)
    if not ran and state.origin is None and not found:
        states.lead("Nothing has run on this lake yet.")
        states.empty("No step, model or forecast is on record.", "An operator starts the first run: shelfcast run, or the weekly job in Dagster.")
        return
    _lead(view, state, found, len(failed))
    states.freshness(newest_deliveries(view.reader), datetime.now(UTC).date())
    causes.show(view, found)
    _steps(view, ran)
    _files(view, refused)
    boards.show(view, state)
    health.show(view, state)
    alerts.show(view)


def _lead(view: View, state: health.Standing, found: Sequence[causes.Cause], failed: int) -> None:
    numbers, waiting = view.numbers, len(data_waiting(view.reader))
    urgent = sum(cause.act for cause in found)
    first = f"<b>{counted(numbers, waiting, 'region')} {'waits' if waiting == 1 else 'wait'}</b> for approval" if waiting else ""
    if failed:
        first = "; ".join(filter(None, [first, f"<b>{counted(numbers, failed, 'step')} failed</b>"]))
    if not first:
        first = f"<b>{counted(numbers, urgent or len(found), 'thing')}</b> to {'do now' if urgent else 'look at, not urgent'}"
        first = first if found else "<b>Nothing</b> needs you now"
    models = f"{numbers.whole(state.stale)} of {counted(numbers, len(state.models), 'model')} stale"
    parts = [first, models if state.models else "no model serves yet"]
    if state.lower is not None:
        before = "" if state.lower_before is None else f" ({numbers.percent(state.lower_before, 1)} the origin before)"
        parts.append(f"{numbers.percent(state.lower, 1)} of rows by a lower rung{before}")
    states.lead(f"{'; '.join(parts)}.")


def _steps(view: View, ran: Row) -> None:
    st.subheader("Pipeline steps", anchor=False)
    if not ran:
        states.empty("No run has been recorded.", "Each run from now on is: shelfcast run, or any job in Dagster.")
        return
    st.caption(f"The last time that each step ran; the newest ended on {moment(ran['ended_at'])}.")
    columns = [
        Column("step", "Step", phone=True),
        Column("state", "State", phone=True),
        Column("ended", "Ended", number=True),
        Column("took", "Took", number=True, phone=True, help="Wall time."),
        Column("lately", "Lately", help="How long it took the last times that it succeeded, up to 12, the newest on the right."),
        Column("rows", "Rows", number=True, help="Rows that its tables held in the run's regions and weeks."),
        Column("covered", "For"),
        Column("error", "What went wrong"),
    ]
    rows = [_step_line(view.numbers, row) for row in queries.latest_steps(view.reader)]
    show_table("steps", "Pipeline steps", columns, rows, empty="No step is on record.")


def _lately(numbers: Numbers, earlier: Sequence[float]) -> Cell:
    if len(earlier) < 2:
        return Cell()
    return Cell(f"took {', '.join(_duration(numbers, seconds) for seconds in earlier)}", earlier[-1], spark=tuple(earlier))


def _step_line(numbers: Numbers, row: Row) -> Line:
    took, ended = "" if row["seconds"] is None else _duration(numbers, row["seconds"]), row["ended_at"]
    cells = {
        "step": Cell(causes.step_name(row["step"]), small=f"{row['job']}: {row['step']}"),
        "state": Cell(_STATE_WORDS[row["state"]], tone=_STATE_TONES[row["state"]]),
        "ended": Cell(f"{day(ended.date())}, {ended:%H:%M}", ended.timestamp(), small=row["started_by"], help=moment(ended)),
        "took": Cell(took, row["seconds"]),
        "lately": _lately(numbers, row["earlier"] or ()),
        "rows": Cell("" if row["rows"] is None else numbers.whole(row["rows"]), row["rows"]),
        "covered": _covered(row),
        "error": Cell(row["error"] or ""),
    }
    return Line(f"{row['job']}/{row['step']}", cells, f"/runs/{quote(row['run_id'])}", "act" if row["state"] == "failed" else "")


def _duration(numbers: Numbers, seconds: float) -> str:
    """0.42 s; 12 s; 3 min 20 s; 1 h 5 min."""
    if seconds < 60:
        return f"{numbers.three(seconds) if seconds < 10 else numbers.whole(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _covered(row: Row) -> Cell:
    if not row["regions"]:
        return Cell("all")
    regions = [region_name(region) for region in row["regions"].split(",")]
    named = listed(regions, 2) if len(regions) < 4 else f"{len(regions)} regions"
    first, last = (dated(row[name]).replace(" ", _UNBROKEN) for name in ("first_week", "last_week"))
    return Cell(named.replace(" ", _UNBROKEN) if len(regions) == 1 else named, small=first if first == last else f"{first} to {last}")


def _files(view: View, refused: Sequence[Row]) -> None:
    st.subheader("Files and rows that were not taken in", anchor=False)
    columns = [
        Column("file", "File", phone=True),
        Column("state", "State", phone=True),
        Column("row", "Row", number=True, help="First row of the file that it is about; the first after the header is 1."),
        Column("n", "Rows", number=True, phone=True),
        Column("message", "What was found, and what to do"),
        Column("since", "Since", number=True),
    ]
    rows = [_refused_line(view.numbers, row) for row in refused] + [_quarantine_line(view.numbers, row) for row in queries.quarantined(view.reader)]
    nothing = "Every row that landed was taken in: no file is refused, and quarantine is empty."
    health.show_rows("files", "Files and rows not taken in", columns, rows, nothing)


def _refused_line(numbers: Numbers, row: Row) -> Line:
    cells = {
        "file": Cell(row["source_file"], small=row["source"]),
        "state": Cell(f"▲ {'held for a person' if row['status'] == 'held' else 'refused'}", tone="act"),
        "row": Cell("all"),
        "n": Cell(numbers.whole(row["rows_read"]), row["rows_read"]),
        "message": Cell(row["message"] or "No reason is on record.", small="Correct the file and drop it again; it is read by the next run."),
        "since": Cell(dated(row["registered_at"].date()), row["registered_at"].timestamp()),
    }
    return Line(f"{row['source']}/{row['source_file']}", cells, tone="act")


def _quarantine_line(numbers: Numbers, row: Row) -> Line:
    state = "taken in without the value" if row["kept"] == row["n"] else "in quarantine"
    cells = {
        "file": Cell(row["source_file"], small=f"{row['source']}: {row['rule']}"),
        "state": Cell(f"◆ {state}"),
        "row": Cell(numbers.whole(row["first_row"]), row["first_row"]),
        "n": Cell(numbers.whole(row["n"]), row["n"]),
        "message": Cell(row["message"], small=f"The row: {row['record'][:200]}"),
        "since": Cell(dated(row["arrived_at"].date()), row["arrived_at"].timestamp()) if row["arrived_at"] else Cell(),
    }
    return Line(f"{row['source']}/{row['source_file']}/{row['rule']}", cells, tone="look")
