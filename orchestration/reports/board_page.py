"""The board as its asset page shows it: a sentence, a picture of regions and checks, a line for each region with the way to everything in it.

What stands in it is for `board`.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import dagster as dg

from models.evaluation.svg import CALM, RED, Cell, heat_map
from orchestration.reports.board import Board, Standing
from orchestration.runtime.metadata import Link, markdown_table, markdown_text, picture
from transforms.calendar import Slice, Week

CHECKS: Mapping[str, tuple[str, ...]] = {
    "layers_agree": ("bronze", "conditioned_slices"),
    "mape_within_target": ("gold", "accuracy"),
    "no_drift": ("reports", "drift_report"),
    "significant": ("gold", "ladder"),
    "no_stale_model": ("gold", "forecasts"),
    "no_failover": ("gold", "forecasts"),
    "forecasts_are_sane": ("gold", "forecasts"),
    "plan_is_sane": ("gold", "order_plan"),
}
"""The checks of a region that the board shows, and on which asset each stands."""


def board_page(board: Board) -> dict[str, Any]:
    """Metadata of the asset page."""
    reasons = [
        (one.region, Link(name, _check_page(name)), str(item.week), judgement.summary)
        for one in board.standings
        for name, (item, judgement) in one.checks.items()
        if not judgement.passed
    ]
    return {
        "summary": board.summary,
        **({"picture": picture(board.summary, drawn(board))} if board.standings else {}),
        # One entry a region: the UI shows up to 1,000 characters in place, and hides a longer table behind a button.
        **{str(one.region).replace("_", " ").title(): _told(one, board.landed) for one in board.standings},
        **({"why_red": markdown_table(["region", "check", "week", "why"], reasons)} if reasons else {}),
        "regions_behind": len(board.behind),
        "checks_red": sum(len(one.red) for one in board.standings),
        "regions_drifted": sum(bool(one.drifted) for one in board.standings),
        "regions_waiting": sum(bool(one.waits) for one in board.standings),
        "pages": dg.MetadataValue.url("/pages/"),
    }


def drawn(board: Board) -> str:
    """Regions and checks as an SVG: red did not pass, empty was not evaluated."""
    rows = {str(one.region): [_cell(one, name) for name in CHECKS] for one in board.standings}
    return heat_map(board.summary, list(CHECKS), rows)


def _told(one: Standing, landed: Week | None) -> dg.MarkdownMetadataValue:
    """A region in a line or two: what stands well in a word, what does not in bold."""
    parts = []
    if one.origin is None:
        parts.append("**not forecast**")
    else:
        forecast = f"[forecast]({_slice_page(('gold', 'forecasts'), Slice(one.region, one.origin))})"
        parts.append(forecast if one.origin == landed else f"**{forecast} last at {one.origin}**")
        parts.append(f"[{one.units or 0:,} units]({_slice_page(('gold', 'order_plan'), Slice(one.region, one.origin))}) next week{_change(one)}")
    red = ", ".join(f"[{name}]({_check_page(name)})" for name in one.red)
    parts.append(f"**red: {red}**" if red else "no red checks")
    if one.drifted:
        parts.append(f"**{one.drifted} columns drifted**")
    if one.stale:
        parts.append(f"**{one.stale:.0%} of forecasts by stale models**")
    parts += [f"**waits: {markdown_text(what)}**" for what in one.waits]
    parts.append(f"[orders](/pages/orders?{urlencode({'region': str(one.region)})})")
    return dg.MetadataValue.md(" · ".join(parts))


def _change(one: Standing) -> str:
    return "" if one.units is None or not one.lately else f" ({one.units / one.lately - 1:+.0%} on lately)"


def _cell(one: Standing, name: str) -> Cell:
    if name not in one.checks:
        return Cell("#fff", f"{name} of {one.region}: not evaluated")
    item, judgement = one.checks[name]
    said = f"{name} of {one.region}, {item.week}: {judgement.summary}"
    return Cell(CALM, said) if judgement.passed else Cell(RED, said, "!")


def _slice_page(asset: Sequence[str], item: Slice) -> str:
    return f"/assets/{'/'.join(asset)}?{urlencode({'partition': f'{item.region}|{item.week}', 'view': 'partitions'})}"


def _check_page(name: str) -> str:
    return f"/assets/{'/'.join(map(quote, CHECKS[name]))}?view=checks&checkDetail={name}"
