"""Alerts on Monitoring: which are open, who was told of each and when, and messages that nobody took."""

import json

import streamlit as st

from dashboard.pages.monitoring.health import show_rows
from dashboard.parts.numbers import day, moment
from dashboard.parts.table import Cell, Column, Line, Tone, show_table
from dashboard.parts.view import View
from dashboard.parts.words import counted, listed
from dashboard.queries import alerts as queries
from transforms.rows import Row

_URGENCY: dict[str, tuple[str, Tone]] = {"critical": ("▲\u00a0critical", "act"), "warning": ("◆\u00a0warning", "look"), "info": ("●\u00a0info", "")}
_STATES = {"opened": "opened", "grew": "more of it", "reminded": "open still", "recovered": "over", "sent": "sent"}
_MOST_ITEMS = 3


def show(view: View) -> None:
    """Draw them."""
    st.subheader("Alerts", anchor=False)
    found, messages = queries.open_alerts(view.reader), queries.messages(view.reader)
    untold = [row for row in found if not any(one["outcome"] == "delivered" for one in row["told"])]
    if untold:
        st.markdown(
            f"**{counted(view.numbers, len(untold), 'open alert')}** reached nobody; who is told stands in shelfcast.yaml: shelfcast alerts list"
        )
    columns = [
        Column("alert", "Alert", phone=True),
        Column("urgency", "Urgency", phone=True),
        Column("since", "Open since", number=True),
        Column("told", "Told", phone=True),
    ]
    nothing = "No alert is open. It is looked each minute while the UI's daemon runs, else by shelfcast alerts send."
    show_rows("alerts", "Alerts that are open", columns, [_open_line(row) for row in found], nothing)
    columns = [
        Column("title", "Message", phone=True),
        Column("rule", "To", phone=True),
        Column("at", "When", number=True),
        Column("outcome", "Outcome", phone=True),
    ]
    empty = "Nobody has been told of anything yet. Rules in shelfcast.yaml say who is; shelfcast alerts test tries them."
    if messages:
        show_table("messages", "Messages sent", columns, [_message_line(row) for row in messages], empty=empty)
    else:
        st.markdown(empty)


def _open_line(row: Row) -> Line:
    items = [item["text"] for item in json.loads(row["items"])]
    word, tone = _URGENCY[row["severity"]]
    cells = {
        "alert": Cell(row["title"], small=listed(items, _MOST_ITEMS)),
        "urgency": Cell(word, tone=tone),
        "since": Cell(f"{day(row['since'].date())}, {row['since']:%H:%M}", row["since"].timestamp(), help=moment(row["since"])),
        "told": _told(row),
    }
    return Line(row["cause"], cells, tone=tone)


def _told(row: Row) -> Cell:
    delivered = [one["rule"] for one in row["told"] if one["outcome"] == "delivered"]
    failed = [one for one in row["told"] if one["outcome"] == "failed"]
    if failed:
        others = f"Delivered to {listed(delivered)}. " if delivered else ""
        return Cell(f"▲ not delivered to {listed([one['rule'] for one in failed])}", small=f"{others}{failed[0]['failure']}", tone="act")
    return Cell(listed(delivered)) if delivered else Cell("nobody: no rule asks for it", tone="look")


def _message_line(row: Row) -> Line:
    failed = row["outcome"] == "failed"
    cells = {
        "title": Cell(row["title"], small=_STATES[row["state"]]),
        "rule": Cell(row["rule"] or "", small=row["address"] or ""),
        "at": Cell(f"{day(row['event_time'].date())}, {row['event_time']:%H:%M}", row["event_time"].timestamp(), help=moment(row["event_time"])),
        "outcome": Cell("▲ not delivered" if failed else "● delivered", small=row["failure"] or "", tone="act" if failed else ""),
    }
    return Line(f"{row['event_time'].timestamp()} {row['cause']}", cells, tone="act" if failed else "")
