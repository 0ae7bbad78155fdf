"""Lists of what is on record about models: what was decided, what was trained, what serves, and experiments."""

import json
from datetime import date
from typing import Any

import streamlit as st

from dashboard.parts.numbers import MISSING, Numbers, dated, moment
from dashboard.parts.selection import address_with
from dashboard.parts.table import Cell, Column, Line, Tone, show_table
from dashboard.parts.view import View
from dashboard.parts.words import listed, region_name, segment_name
from dashboard.queries import training as queries
from dashboard.queries.reader import Reader
from transforms.rows import Row

_WEIGHT = "size_weight_"
_TONES: dict[str, Tone] = {"rejected": "look", "rolled back": "look", "awaiting validation": "look"}
_WORDS = {"champion": "promoted", "rejected": "refused", "awaiting validation": "waits for approval"}


def show_records(view: View, region: str | None) -> None:
    """Decisions, trainings, and what serves."""
    st.header("Decisions", anchor=False)
    _decisions(view, region)
    st.header("Trained and kept", anchor=False)
    _retraining(view, region)
    st.header("Models that serve", anchor=False)
    _serving(view, region)
    st.header("Time and versions", anchor=False)
    _runs(view, region)


def _decisions(view: View, region: str | None) -> None:
    columns = (
        Column("model", "Model", phone=True),
        Column("decision", "Decision", phone=True),
        Column("mape", "MAPE", "On the held-back weeks.", number=True, phone=True),
        Column("average", "Average", "MAPE of the historical average on the same weeks.", number=True),
        Column("reason", "Reason"),
        Column("from", "From origin"),
        Column("by", "By"),
    )
    lines = [_decision(view.numbers, row) for row in queries.decisions(view.reader, region)]
    show_table("decisions", "Decisions on models", columns, lines, empty="Nothing has been decided yet: models are judged after each training.")


def _decision(numbers: Numbers, row: Row) -> Line:
    name = f"{region_name(row['region'])}, {segment_name(row['format'], row['mover'])}"
    return Line(
        f"{row['model_version']} {row['event_time']}",
        {
            "model": Cell(name, small=row["model_version"]),
            "decision": Cell(words_of(row["event"]), tone=_TONES.get(row["event"], ""), small=moment(row["event_time"])),
            "mape": Cell(numbers.percent(row["mape"], 1), row["mape"]),
            "average": Cell(numbers.percent(row["baseline_mape"], 1), row["baseline_mape"]),
            "reason": Cell(row["reason"]),
            "from": Cell(dated(row["effective_week"]), str(row["effective_week"])),
            "by": actor_cell(row["actor"]),
        },
        to_version(row["model_version"]),
        _TONES.get(row["event"], ""),
    )


def words_of(event: str) -> str:
    """A decision as people say it."""
    return _WORDS.get(event, event)


def actor_cell(actor: str) -> Cell:
    """Who decided, with the run beneath."""
    who, _, run = actor.partition(", run ")
    return Cell(who, actor, small=f"run {run[:8]}" if run else "")


def to_version(version: str) -> str:
    """Address of a version on this page, as it is sorted and searched now."""
    return address_with("training", version=version)


def _retraining(view: View, region: str | None) -> None:
    rows = queries.retraining(view.reader, region)
    trained, kept = (sum(row["models"] for row in rows if row["retrained"] is which) for which in (True, False))
    if rows:
        st.markdown(f"Origin of {dated(rows[0]['week'])}: **{view.numbers.whole(trained)} trained, {view.numbers.whole(kept)} kept**.")
    columns = (
        Column("why", "Why", phone=True),
        Column("what", "What", phone=True),
        Column("models", "Models", "With pooled models and historical averages.", number=True, phone=True),
        Column("cause", "Cause"),
        Column("where", "Where"),
    )
    lines = [
        Line(
            str(place),
            {
                "why": Cell(row["reason"]),
                "what": Cell("trained" if row["retrained"] else "kept"),
                "models": Cell(view.numbers.whole(row["models"]), row["models"]),
                "cause": Cell("" if row["cause"] == "none" else row["cause"]),
                "where": Cell(listed([region_name(name) for name in row["regions"] if name != "all"] or ["pooled"])),
            },
        )
        for place, row in enumerate(rows)
    ]
    show_table("trained", "What was trained and what was kept", columns, lines, empty="Nothing has been trained yet: the weekly run trains.")


@st.cache_data(max_entries=16, show_spinner=False)
def _champions(_reader: Reader, root: str, versions: tuple[int | None, ...]) -> list[Row]:  # noqa: ARG001 - what the answer depends on
    return queries.serving(_reader)


def _serving(view: View, region: str | None) -> None:
    reader, numbers = view.reader, view.numbers
    found = _champions(reader, reader.lake.root, (reader.version("gold/model_versions"), reader.version("gold/model_events")))
    columns = (
        Column("model", "Model", phone=True),
        Column("mape", "MAPE", "On the held-back weeks.", number=True, phone=True),
        Column("average", "Average", "MAPE of the historical average on the same weeks.", number=True, phone=True),
        Column("weights", "Members", "Weight of each member in the point forecast."),
        Column("rows", "Rows", "Rows that it learned from.", number=True),
        Column("origin", "Trained at"),
        Column("data", "Data"),
    )
    lines = []
    for row in found:
        if region not in {None, row["region"]}:
            continue
        metrics = json.loads(row["metrics"])
        where = "Pooled" if row["region"] == "all" else region_name(row["region"])
        lines.append(
            Line(
                row["model_version"],
                {
                    "model": Cell(f"{where}, {segment_name(row['format'], row['mover'])}", small=row["model_version"]),
                    "mape": Cell(numbers.percent(metrics.get("mape"), 1), metrics.get("mape")),
                    "average": Cell(numbers.percent(metrics.get("baseline_mape"), 1), metrics.get("baseline_mape")),
                    "weights": Cell(weights_of(numbers, metrics)),
                    "rows": Cell(numbers.whole(metrics.get("rows")), metrics.get("rows")),
                    "origin": Cell(dated(row["trained_week"]), str(row["trained_week"])),
                    "data": Cell(row["dataset_version"] or "all regions"),
                },
                to_version(row["model_version"]),
            )
        )
    show_table("serving", "Models that serve", columns, lines, empty="No model serves yet: the historical average does.")


def weights_of(numbers: Numbers, metrics: dict[str, Any]) -> str:
    """The members of an ensemble with their weights, the heaviest first."""
    shares = {name.removeprefix(_WEIGHT): share for name, share in metrics.items() if name.startswith(_WEIGHT)}
    return ", ".join(f"{name} {numbers.percent(share)}" for name, share in sorted(shares.items(), key=lambda item: -item[1]))


def _runs(view: View, region: str | None) -> None:
    columns = (
        Column("origin", "Trained at", phone=True),
        Column("models", "Models", number=True, phone=True),
        Column("minutes", "Minutes", "From the first model that was ready to the last one of the run.", number=True, phone=True),
        Column("rows", "Rows", "Rows that the models learned from.", number=True),
        Column("ready", "Ready"),
        Column("code", "Code"),
        Column("commit", "Commit"),
    )
    lines = []
    for row in queries.training_runs(view.reader, region):
        minutes = (row["last"] - row["first"]).total_seconds() / 60
        lines.append(
            Line(
                row["run_id"],
                {
                    "origin": Cell(dated(row["origin"]), str(row["origin"]), small=f"run {row['run_id'][:8]}"),
                    "models": Cell(view.numbers.whole(row["models"]), row["models"]),
                    "minutes": Cell(view.numbers.three(minutes), minutes),
                    "rows": Cell(view.numbers.whole(row["learned"]), row["learned"]),
                    "ready": Cell(moment(row["last"]), str(row["last"])),
                    "code": Cell(row["code"]),
                    "commit": Cell((row["commit"] or MISSING)[:12], help=row["commit"] or ""),
                },
                f"/runs/{row['run_id']}",
            )
        )
    show_table("runs", "Runs that trained", columns, lines, empty="No run has trained yet.")
    st.caption("What a run cost in money is not measured; time of each step stands with its run in Dagster, where a click on it leads.")


def show_experiments(view: View) -> None:
    """Runs of experiments beside each other."""
    st.header("Experiments", anchor=False)
    columns = (
        Column("experiment", "Experiment", phone=True),
        Column("params", "Tried", phone=True),
        Column("mape", "MAPE", number=True, phone=True),
        Column("rmse_all", "RMSE_all", number=True),
        Column("rmse_0", "RMSE_0", number=True),
        Column("seconds", "Seconds", number=True),
        Column("notes", "Notes"),
        Column("when", "When"),
    )
    lines = [_experiment(view.numbers, row) for row in queries.experiments(view.reader)]
    step = "No experiment has been logged yet: shelfcast tune searches for better settings, a notebook logs its runs."
    show_table("experiments", "Runs of experiments", columns, lines, empty=step)


def _experiment(numbers: Numbers, row: Row) -> Line:
    metrics, day = json.loads(row["metrics"]), date.isoformat(row["logged_at"].date())
    params = ", ".join(f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in json.loads(row["params"]).items())
    measured = {name: Cell(numbers.three(metrics.get(name)), metrics.get(name)) for name in ("rmse_all", "rmse_0", "seconds")}
    return Line(
        f"{row['experiment']} {row['run_id']}",
        {
            "experiment": Cell(row["experiment"], small=f"{row['kind']}, {row['run_id']}"),
            "params": Cell(params or "as before"),
            "mape": Cell(numbers.percent(metrics.get("mape"), 1), metrics.get("mape")),
            **measured,
            "notes": Cell(row["notes"] or ""),
            "when": Cell(moment(row["logged_at"]), day),
        },
    )
