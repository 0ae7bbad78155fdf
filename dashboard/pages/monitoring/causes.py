"""What needs a person now, on Monitoring: how urgent it is, why, and the commands that end it."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import streamlit as st

from dashboard.pages.decision import show_outcome
from dashboard.pages.monitoring import approvals, health
from dashboard.parts.numbers import moment
from dashboard.parts.view import View, address
from dashboard.parts.words import counted, plain, regions_named
from dashboard.queries.overview import data_waiting, models_waiting
from transforms.records.pipeline_steps import command_again
from transforms.rows import Row

_MOST_COMMANDS = 5
_STEP_NAMES = {
    "bronze_reference": "Taking in reference data",
    "bronze_facts": "Taking in deliveries, returns, weather",
    "reference_models": "Conditioning of reference data",
    "conditioned_models": "Conditioning",
    "conditioned_slices": "Conditioning: what is done",
    "dataset": "Data version and its checks",
    "ensembles": "Training",
    "champions": "Validation and promotion",
    "scoring": "Forecasts and plan",
    "contributions": "Explanations",
    "accuracy": "Accuracy of past forecasts",
    "plan_value": "Worth of past plans",
    "ab_lift": "A/B tests",
    "drift_report": "Drift",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that needs a person: how urgent, what, why (out of the lake, foreign), the commands that end it, a page to do it on.

    `panel` draws what ends it right there.
    """

    act: bool
    what: str
    why: str
    commands: tuple[str, ...] = ()
    link: tuple[str, str] | None = None
    panel: Callable[[View], None] | None = None


def causes_of(view: View, state: health.Standing, failed: Sequence[Row], refused: Sequence[Row]) -> list[Cause]:
    """What needs a person, what is urgent first."""
    reader, numbers = view.reader, view.numbers
    found = []
    if regions := data_waiting(reader):
        what = f"New data of {counted(numbers, len(regions), 'region')} wait for approval: {regions_named(regions)}"
        found.append(Cause(True, what, "", panel=approvals.show))
    found += map(_failure, failed)
    if refused:
        what = f"{counted(numbers, len(refused), 'file')} in landing {'is' if len(refused) == 1 else 'are'} refused or held"
        found.append(Cause(True, what, refused[0]["message"] or "", ("shelfcast status", "shelfcast run")))
    if models := models_waiting(reader):
        commands = tuple(f"shelfcast models approve {shlex.quote(row['model_version'])} --by NAME --why WHY" for row in models)
        link = ("decide on Training", address("training", version=models[0]["model_version"]))
        what = f"{counted(numbers, len(models), 'model')} {'awaits' if len(models) == 1 else 'await'} validation by a person"
        found.append(Cause(False, f"{what}: {regions_named(sorted({row['region'] for row in models}))}", "", commands, link))
    found += [Cause(False, *cause) for cause in health.causes(view, state)]
    return found


def _failure(row: Row) -> Cause:
    again = command_again(row["job"], row["last_week"])
    what = f"{step_name(row['step'])} failed on {moment(row['ended_at'])}"
    return Cause(True, what, row["error"] or "", (again,) if again else (), ("its run in Dagster", f"/runs/{quote(row['run_id'])}"))


def show(view: View, causes: Sequence[Cause]) -> None:
    """Draw them, each with its commands to copy."""
    st.subheader("What needs a person", anchor=False)
    show_outcome()
    if not causes:
        st.markdown("Nothing: no data or models wait, no step failed, no file is refused, nothing drifted, and no model is stale.")
    for cause in causes:
        link = f" [{cause.link[0]}]({cause.link[1]})" if cause.link else ""
        why = f"  \n{plain(cause.why)}" if cause.why else ""
        st.markdown(f"{'▲' if cause.act else '◆'} **{plain(cause.what)}.**{link}{why}")
        if cause.panel:
            cause.panel(view)
        if cause.commands:
            more = len(cause.commands) - _MOST_COMMANDS
            lines = [*cause.commands[:_MOST_COMMANDS], *([f"# and {more} more of the same kind"] if more > 0 else [])]
            st.code("\n".join(lines), language=None, wrap_lines=True)


def step_name(step: str) -> str:
    """A step as people say it."""
    return _STEP_NAMES.get(step, step.replace("__", ": ").replace("_", " ").capitalize())
