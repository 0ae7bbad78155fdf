"""One version of a model in full: how it did, what it was made of, and each decision with its checks."""

import html
import json
from typing import Any

import streamlit as st

from dashboard.pages.decision import show_checks
from dashboard.pages.training.decision import show_decision
from dashboard.pages.training.records import actor_cell, weights_of, words_of
from dashboard.parts import states
from dashboard.parts.numbers import MISSING, Numbers, dated, moment
from dashboard.parts.selection import address_with
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View
from dashboard.parts.words import region_name, segment_name
from dashboard.queries import training as queries
from transforms.rows import Row


def show_version(view: View, version: str, region: str | None) -> None:
    """One version in full, above all else, since somebody asked for it."""
    row = queries.record(view.reader, version)
    with st.container(border=True, key="version"):
        if not row:
            states.empty("There is no such version on record.", "All models are listed on this page.")
            return
        st.header(f"{region_name(row['region'])}, {segment_name(row['format'], row['mover'])}", anchor=False)
        close = html.escape(address_with("training", version=""), quote=True)
        st.html(f"<small>{html.escape(row['model_version'])}</small> &nbsp; <a href='{close}' target='_self'>Close</a>")
        events = queries.events_of(view.reader, version)
        show_decision(view, row, events, region)
        left, right = st.columns(2, gap="medium")
        with left:
            _metrics(view.numbers, json.loads(row["metrics"]))
        with right:
            st.html(_provenance(row))
        _history(view.numbers, events)


def _metrics(numbers: Numbers, metrics: dict[str, Any]) -> None:
    columns = (
        Column("metric", "Held-back weeks", phone=True),
        Column("model", "Model", number=True, phone=True),
        Column("average", "Average", number=True, phone=True),
    )
    lines = []
    for name in queries.METRICS:
        write = (lambda value: numbers.percent(value, 1)) if not queries.METRICS[name].unit else numbers.three
        own, average = metrics.get(name), metrics.get(f"baseline_{name}")
        metric = queries.METRICS[name]
        label = f"{metric.title}, {metric.unit}" if metric.unit else metric.title
        lines.append(Line(name, {"metric": Cell(label), "model": Cell(write(own), own), "average": Cell(write(average), average)}))
    show_table("metrics", "Metrics on the held-back weeks", columns, lines, empty="It was not scored.")
    if weights := weights_of(numbers, metrics):
        st.markdown(f"Members: {weights}. Learned from {numbers.whole(metrics.get('rows'))} rows.")


def _provenance(row: Row) -> str:
    """What it was made of, as a list."""
    facts = {
        "Trained at": f"origin of {dated(row['trained_week'])}, ready {moment(row['trained_at'])}",
        "Data": row["dataset_version"] or "all regions",
        "Tables": ", ".join(f"{table} {number}" for table, number in json.loads(row["data_versions"]).items()),
        "Code": row["code_version"],
        "Commit": row["source_commit"] or MISSING,
        "SHA-256": row["sha256"],
    }
    items = "".join(f"<li>{name}: <code style='overflow-wrap: anywhere'>{html.escape(value)}</code></li>" for name, value in facts.items())
    run = html.escape(row["run_id"], quote=True)
    return f"<ul>{items}<li>Run: <a href='/runs/{run}' target='_self'>{run}</a></li></ul>"


def _history(numbers: Numbers, events: list[Row]) -> None:
    columns = (Column("what", "Decision", phone=True), Column("when", "When", phone=True), Column("why", "Why", phone=True), Column("by", "By"))
    lines = [
        Line(
            str(place),
            {
                "what": Cell(words_of(row["event"]) if row["numbers"] or row["event"] != "awaiting validation" else "trained"),
                "when": Cell(moment(row["event_time"]), str(row["event_time"])),
                "why": Cell(row["reason"], small=f"replaces {row['replaces']}" if row["replaces"] else ""),
                "by": actor_cell(row["actor"]),
            },
        )
        for place, row in enumerate(events)
    ]
    show_table("history", "Decisions on this version", columns, lines, empty="Nothing has been decided on it yet.")
    checks: list[dict[str, Any]] = next((json.loads(row["numbers"]) for row in reversed(events) if row["numbers"]), [])
    show_checks(numbers, "checks", "Checks behind the last judgement", checks, empty="It was not judged yet.")
