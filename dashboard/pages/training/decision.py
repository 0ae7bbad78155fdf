"""Where an operator decides on a version that passed validation and waits: what would happen, the decision, and the next one that waits."""

import html
from datetime import datetime
from functools import partial

import streamlit as st

from dashboard.pages.decision import ask, show_outcome, tell_nobody
from dashboard.pages.training.records import to_version, words_of
from dashboard.parts.numbers import dated, moment
from dashboard.parts.view import View
from dashboard.parts.words import counted, plain, region_name, segment_name
from dashboard.queries.overview import models_waiting
from orchestration.service import decisions
from orchestration.settings import settings
from transforms.rows import Row

_OTHERS = " An operator decides on it."


def show_decision(view: View, row: Row, events: list[Row], region: str | None) -> None:
    """How a version stands; where it waits, an operator's form."""
    show_outcome()
    last = events[-1] if events else {}
    if last and last["event"] == "awaiting validation" and last["numbers"]:
        st.info(f"It passed validation and waits for approval since {moment(last['event_time'])}.{'' if view.may_decide else _OTHERS}")
        if view.may_decide:
            _decide(view, row, last)
    elif last:
        st.markdown(f"**{words_of(last['event']).capitalize()}** by {plain(last['actor'])}, {moment(last['event_time'])}: {plain(last['reason'])}")
    if view.may_decide:
        _next(view, row, region)


def _decide(view: View, row: Row, seen: Row) -> None:
    name, segment = row["model_version"], _segment(row)
    found = decisions.outlook(view.lake, name)
    since, stands = dated(found.since), f"{plain(found.replaces)} goes on serving" if found.replaces else "no champion serves there"
    instead = f"; replaces {plain(found.replaces)}" if found.replaces else "; there is none so far"
    st.markdown(f"**Approve**: champion of {segment} from the origin of {since} on{instead}.  \n**Reject**: it never serves; {stands}.")
    ask(f"{name} {seen['event_time']}", "this model", partial(_put, name, seen["event_time"]))


def _put(name: str, seen: datetime, view: View, approved: bool, why: str) -> str:
    act = decisions.approve if approved else decisions.reject
    done = act(settings(), name, view.person, why, tell_nobody, seen)
    first = done.events[0]
    if not approved:
        said = f"Rejected: {name} does not serve."
    else:
        said = f"Approved: {name} is champion from the origin of {dated(first.effective_week)} on"
        said += f", and {first.replaces} is retired." if first.replaces else "."
    return f"{said} In MLflow: {done.mirror}." if done.mirror else said


def _next(view: View, row: Row, region: str | None) -> None:
    others = [one for one in models_waiting(view.reader) if one["model_version"] != row["model_version"] and region in {None, one["region"]}]
    if others:
        link = html.escape(to_version(others[0]["model_version"]), quote=True)
        more = f"{counted(view.numbers, len(others), 'more model')} wait{'s' if len(others) == 1 else ''} for approval"
        st.html(f"{more}. Next: <a href='{link}' target='_self'>{html.escape(_segment(others[0]))}</a>")


def _segment(row: Row) -> str:
    return f"{region_name(row['region'])}, {segment_name(row['format'], row['mover'])}"
