"""The board as it is shown: a sentence, a picture of regions and checks, a line for each region with the way to everything in it.

As metadata of its asset page, and as a page of its own for narrow screens, on which Dagster's has no room. What stands in it is for `board`.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import dagster as dg

from models.evaluation.svg import CALM, RED, Cell, heat_map
from orchestration.reports.board import Board, Standing
from orchestration.reports.report import report_url
from orchestration.runtime.metadata import Link, markdown_table, markdown_text, picture
from orchestration.settings import settings
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

PAGE = ("board", "index.html")
"""Where the page lies below the reports."""


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
        **{_title(one): _told(one, board.landed) for one in _worst_first(board)},
        **({"why_red": markdown_table(["region", "check", "week", "why"], reasons)} if reasons else {}),
        "regions_behind": len(board.behind),
        "checks_red": sum(len(one.red) for one in board.standings),
        "regions_drifted": sum(bool(one.drifted) for one in board.standings),
        "regions_waiting": sum(bool(one.waits) for one in board.standings),
        "page": dg.MetadataValue.url(report_url(settings().reports_url, "/".join(PAGE))),
        "pages": dg.MetadataValue.url("/pages/"),
    }


def drawn(board: Board) -> str:
    """Regions and checks as an SVG: red did not pass, empty was not evaluated."""
    rows = {str(one.region): [_cell(one, name) for name in CHECKS] for one in board.standings}
    return heat_map(board.summary, list(CHECKS), rows)


def board_html(board: Board) -> str:
    """The board as one page that needs no script."""
    cards = "".join(
        f"<section class='{'bad' if _bad(one, board.landed) else ''}'><h2>{_title(one)}</h2><ul>"
        + "".join(f"<li{' class=bad' if part.bad else ''}>{_as_html(part)}</li>" for part in _parts(one, board.landed))
        + "</ul></section>"
        for one in _worst_first(board)
    )
    said = html.escape(board.summary)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{said}</title><style>{_CSS}</style><main><h1>{said}</h1><p>Red did not pass; an empty cell was not evaluated.</p>"
        f"<div class='wide'>{drawn(board) if board.standings else ''}</div><div class='cards'>{cards}</div></main></html>"
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """Something said of a region: words, where they lead, what follows them, and whether it is bad."""

    text: str
    url: str = ""
    after: str = ""
    bad: bool = False


def _parts(one: Standing, landed: Week | None) -> list[_Part]:
    parts = []
    if one.origin is None:
        parts.append(_Part("not forecast", bad=True))
    else:
        item = Slice(one.region, one.origin)
        late = one.origin != landed
        parts.append(_Part("forecast", _slice_page(("gold", "forecasts"), item), f" last at {one.origin}" if late else "", late))
        parts.append(_Part(f"{one.units or 0:,} units", _slice_page(("gold", "order_plan"), item), f" next week{_change(one)}"))
    parts += [_Part(name, _check_page(name), f": {one.checks[name][1].summary}", bad=True) for name in one.red] or [_Part("no red checks")]
    if one.drifted:
        parts.append(_Part(_counted(one.drifted, "column drifted", "columns drifted"), _drift_page(one), bad=True))
    if one.stale:
        parts.append(_Part(f"{one.stale:.0%} of forecasts by stale models", bad=True))
    parts += [_Part(f"waits: {what}", bad=True) for what in one.waits]
    return [*parts, _Part("orders", f"/pages/orders?{urlencode({'region': str(one.region)})}")]


def _told(one: Standing, landed: Week | None) -> dg.MarkdownMetadataValue:
    """A region in a line or two: what is bad stands in bold."""
    return dg.MetadataValue.md(" · ".join(f"**{_as_markdown(part)}**" if part.bad else _as_markdown(part) for part in _parts(one, landed)))


def _as_markdown(part: _Part) -> str:
    text = markdown_text(part.text)
    return (f"[{text}]({part.url})" if part.url else text) + _escaped_after(part.after)


def _escaped_after(after: str) -> str:
    return f" {markdown_text(after)}" if after.startswith(" ") else markdown_text(after)


def _as_html(part: _Part) -> str:
    text = html.escape(part.text)
    return (f"<a href='{html.escape(part.url, quote=True)}'>{text}</a>" if part.url else text) + html.escape(part.after)


def _worst_first(board: Board) -> list[Standing]:
    return sorted(board.standings, key=lambda one: not _bad(one, board.landed))


def _bad(one: Standing, landed: Week | None) -> bool:
    return any(part.bad for part in _parts(one, landed))


def _title(one: Standing) -> str:
    return str(one.region).replace("_", " ").title()


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


def _drift_page(one: Standing) -> str:
    item, _ = one.checks["no_drift"]
    return report_url(settings().reports_url, f"drift/{item.region}/{item.week}.html")


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


_CSS = """
body{margin:0;background:#f5f7f9;color:#1d2733;font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1240px;margin:0 auto;padding:28px 16px 48px;box-sizing:border-box}h1{font-size:20px;margin:0 0 8px}p{color:#62707f;margin:0 0 12px}
.wide,section{background:#fff;border:1px solid #e3e8ee;border-radius:10px;padding:12px 16px}.wide{overflow-x:auto;margin:0 0 16px}
.wide svg{width:100%;max-width:440px;height:auto}.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(300px,100%),1fr));gap:12px}
h2{font-size:15px;margin:0}ul{list-style:none;margin:4px 0 0;padding:0}a{color:#2563a8}section.bad{border-left:4px solid #b3261e}li.bad{color:#b3261e}
"""
