"""Data that wait for approval, by region: which version, why it stopped, the evidence, and where an operator decides."""

import json
from functools import partial

import streamlit as st

from dashboard.pages.decision import ask, show_checks, tell_nobody
from dashboard.parts.numbers import dated, moment
from dashboard.parts.view import View
from dashboard.parts.words import counted, plain, region_name
from dashboard.queries.monitoring import data_that_wait
from orchestration.service.decisions import decide_on_data
from transforms.calendar import Region
from transforms.rows import Row


def show(view: View) -> None:
    """Draw each region's; open where there is one."""
    waiting = data_that_wait(view.reader)
    for row in waiting:
        title = f"{region_name(row['region'])}: {counted(view.numbers, row['rows'], 'row')} to the week of {dated(row['last_week'])}"
        with st.expander(title, expanded=len(waiting) == 1):
            _show(view, row)


def _show(view: View, row: Row) -> None:
    region, version = region_name(row["region"]), plain(row["dataset_version"])
    st.markdown(f"Version {version}, recorded {moment(row['recorded_at'])}. **Why it stopped:** {plain(row['reason'])}.")
    show_checks(view.numbers, f"checks_{row['region']}", f"Checks of the data of {region}", json.loads(row["checks"]), empty="No check is on record.")
    st.caption("What changed, and which forecasts would move:")
    st.code(f"shelfcast data diff --region {row['region']}", language=None, wrap_lines=True)
    before = f"{plain(row['approved_version'])}, to the week of {dated(row['approved_week'])}" if row["approved_version"] else ""
    instead = f"version {before}, goes on being used" if before else "no data of the region are approved, so that it is neither trained nor forecast"
    st.markdown(f"**Approve**: training and scoring use it from the next run on.  \n**Reject**: it is never used; {instead}.")
    if not view.may_decide:
        st.caption("An operator decides on it.")
    else:
        ask(f"{row['dataset_version']} {row['recorded_at']}", f"the data of {region}", partial(_put, row))


def _put(row: Row, view: View, approved: bool, why: str) -> str:
    decision = "approved" if approved else "rejected"
    done = decide_on_data(view.lake, Region(row["region"]), decision, view.person, why, tell_nobody, row["dataset_version"])
    return f"{decision.capitalize()}: {done.version}, the data of {region_name(row['region'])} to the week of {dated(done.last_week)}."
