"""Serves the reports of a lake, read-only, beside the Dagster UI whose asset pages link to them.

A report shows names out of foreign files. Should one of them ever become a script, it runs in a sandbox: without an origin, so without the rights of
the UI, and without a way to send anything.
"""

import html
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from orchestration.web.headers import POLICY, WithHeaders

_SHUT = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_STATIC = f"sandbox; {_SHUT}"
# Evidently's pages draw their plots by scripts: the libraries in assets/ and, inside the page, its own data.
_DRAWN = f"sandbox allow-scripts; {_SHUT}; script-src 'self' 'unsafe-inline'"


def create_app(reports: Path) -> Starlette:
    """Make the application.

    Parameters
    ----------
    reports
        The lake's `reports/` folder; need not exist yet.
    """

    def index(_: Request) -> HTMLResponse:
        return HTMLResponse(_index(reports), headers={POLICY: _STATIC})

    def files(folder: Path) -> ASGIApp:
        folder.mkdir(parents=True, exist_ok=True)
        return StaticFiles(directory=folder, html=True)

    return Starlette(
        routes=[
            Route("/", index),
            Mount("/drift", WithHeaders(files(reports / "drift"), {POLICY: _DRAWN})),
            # A page in a sandbox has no origin, so a library is foreign to it; there is nothing of the lake in one.
            Mount("/assets", WithHeaders(files(reports / "assets"), {POLICY: _STATIC, "Cross-Origin-Resource-Policy": "cross-origin"})),
            Mount("/", WithHeaders(files(reports), {POLICY: _STATIC})),
        ],
    )


def _index(reports: Path) -> str:
    regions = sorted(path for path in (reports / "drift").glob("*") if path.is_dir())
    rows = "".join(
        f"<tr><th>{html.escape(region.name)}</th><td>"
        + " ".join(_link(reports, page, page.stem) for page in sorted(region.glob("*.html"), reverse=True))
        + "</td></tr>"
        for region in regions
    )
    audit = "".join(
        f"<li>{_link(reports, page, page.stem if page.stem != 'index' else kind)}</li>"
        for kind in ("board", "audit", "trace")
        for page in sorted((reports / kind).glob("*.html"))
    )
    empty = "" if rows else "<p>No reports yet: run <code>shelfcast run --week ...</code> or materialize <code>drift_report</code>.</p>"
    return (
        "<!doctype html><meta charset='utf-8'><title>Shelfcast reports</title>"
        "<style>body{font-family:sans-serif;margin:32px;color:#222}th{text-align:left;padding:6px 18px 6px 0;vertical-align:top}"
        "a{margin-right:10px;color:#1a5fb4}</style>"
        f"{f'<h1>Board, audit and traces</h1><ul>{audit}</ul>' if audit else ''}<h1>Drift reports</h1>{empty}<table>{rows}</table>"
    )


def _link(reports: Path, page: Path, text: str) -> str:
    address = f"./{quote(page.relative_to(reports).as_posix())}"
    return f"<a href='{html.escape(address)}'>{html.escape(text)}</a>"
