"""Runs that failed and have not succeeded since, from `gold/pipeline_steps`: one cause for each job and block of regions."""

from collections import defaultdict
from datetime import date
from hashlib import sha256

from orchestration.alerts.alert import Alert, Item, ask
from transforms.contracts.operations import PIPELINE_STEPS
from transforms.lake.tables import Lake
from transforms.records.pipeline_steps import command_again
from transforms.rows import Row

_DAYS = 60
"""Days before the newest step of which failures count: what has not run since runs no more."""
_EVERYWHERE = ""
"""Stands for the regions of a run that is for none."""


def failed_runs(lake: Lake) -> list[Alert]:
    """Runs whose steps failed, or were not come to, and that no later run of the same job has made good for all of their regions.

    A later run makes a step good for its regions where it came as far in weeks: one of a past week leaves the newest week's failure open.
    """
    rows = ask(
        lake,
        f"""
        select * from gold_pipeline_steps where ended_at > (select max(ended_at) from gold_pipeline_steps) - interval {_DAYS} days
        order by ended_at, run_id, step
        """,
        PIPELINE_STEPS.name,
    )
    # What was skipped after a failure is no cause of its own; a run that was killed between steps has skipped ones alone.
    broken = {row["run_id"] for row in rows if row["state"] == "failed"}
    open_now: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        if row["state"] == "succeeded":
            _make_good(open_now, row)
        elif row["state"] == "failed" or row["run_id"] not in broken:
            open_now |= {(row["job"], row["step"], region): row for region in _regions(row)}
    causes: dict[tuple[str, str], dict[str, list[tuple[str, Row]]]] = defaultdict(lambda: defaultdict(list))
    for (job, step, region), row in open_now.items():
        causes[job, row["regions"] or _EVERYWHERE][step].append((region, row))
    return [_alert(job, regions, steps) for (job, regions), steps in causes.items()]


def _make_good(open_now: dict[tuple[str, str, str], Row], done: Row) -> None:
    for key, failed in list(open_now.items()):
        job, step, region = key
        same = (job, step) == (done["job"], done["step"]) and (region in _regions(done) or not done["regions"])
        if same and _as_far(done["last_week"], failed["last_week"]):
            del open_now[key]


def _as_far(done: date | None, failed: date | None) -> bool:
    return done is None or failed is None or done >= failed


def _regions(row: Row) -> list[str]:
    return (row["regions"] or _EVERYWHERE).split(",")


def _alert(job: str, regions: str, steps: dict[str, list[tuple[str, Row]]]) -> Alert:
    items = []
    for step, found in steps.items():
        row = found[-1][1]
        text = f"{step}: {row['error'] or 'no message'} (run {row['run_id'][:8]}, started by {row['started_by']})"
        items.append(Item(step, text, tuple(sorted(region for region, _ in found if region))))
    newest = max((row for found in steps.values() for _, row in found), key=lambda row: row["ended_at"])
    again = command_again(job, newest["last_week"])
    advice = f"Its log says more. Once the cause is gone: {again}" if again else "Its log says more. Once the cause is gone, start it again."
    name = f"{job}/{sha256(regions.encode()).hexdigest()[:12]}" if regions else job
    return Alert("run_failed", name, f"Run failed: {job}", tuple(items), advice, f"/runs/{newest['run_id']}")
