"""Serves the reports of a lake, read-only and on this machine only, beside the Dagster UI whose asset pages link to them."""

import html
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles


def create_app(reports: Path) -> Starlette:
    """Make the application.

    Parameters
    ----------
    reports
        The lake's `reports/` folder; need not exist yet.
    """

    def index(_: Request) -> HTMLResponse:
        return HTMLResponse(_index(reports))

    reports.mkdir(parents=True, exist_ok=True)
    return Starlette(
        routes=[Route("/", index), Mount("/", StaticFiles(directory=reports, html=True))],
        # A page elsewhere on the web could point its own name at this machine: answer to loopback names alone.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1"])],
    )


def _index(reports: Path) -> str:
    regions = sorted(path for path in (reports / "drift").glob("*") if path.is_dir())
    rows = "".join(
        f"<tr><th>{html.escape(region.name)}</th><td>"
        + " ".join(f"<a href='drift/{region.name}/{page.name}'>{page.stem}</a>" for page in sorted(region.glob("*.html"), reverse=True))
        + "</td></tr>"
        for region in regions
    )
    audit = "".join(
        f"<li><a href='{page.relative_to(reports).as_posix()}'>{html.escape(page.stem if page.stem != 'index' else 'audit')}</a></li>"
        for kind in ("audit", "trace")
        for page in sorted((reports / kind).glob("*.html"))
    )
    empty = "" if rows else "<p>No reports yet: run <code>shelfcast run --week ...</code> or materialize <code>drift_report</code>.</p>"
    return (
        "<!doctype html><meta charset='utf-8'><title>Shelfcast reports</title>"
        "<style>body{font-family:sans-serif;margin:32px;color:#222}th{text-align:left;padding:6px 18px 6px 0;vertical-align:top}"
        "a{margin-right:10px;color:#1a5fb4}</style>"
        f"{f'<h1>Audit and traces</h1><ul>{audit}</ul>' if audit else ''}<h1>Drift reports</h1>{empty}<table>{rows}</table>"
    )
