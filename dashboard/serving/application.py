"""The ASGI application of the pages' process: Streamlit's pages, files and sheets of plans below /pages, reports below /reports, and /healthz."""

from pathlib import Path

import streamlit as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Mount, Route
from streamlit import config

from dashboard.parts.states import report_defect
from dashboard.parts.theme import THEME
from dashboard.serving.plans import download_table, download_workbook
from dashboard.serving.printing import print_orders, say_nothing_there, say_unreadable
from dashboard.serving.reports import create_app
from transforms.errors import MissingData, ShelfcastError
from transforms.exports.upload import LARGEST_BYTES

SCRIPT = Path(__file__).with_name("script.py")
"""Not beside pages/: Streamlit would take modules in a folder of that name for scripts."""

_OPTIONS = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.showSidebarNavigation": False,
    "client.toolbarMode": "minimal",
    # Host and Origin are judged by the front, under whose name people open the pages. Streamlit's own token against forged requests would lie in a
    # cookie that pages on other ports of this machine can read.
    "server.enableCORS": False,
    "server.enableXsrfProtection": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": LARGEST_BYTES >> 20,
}


def create_application(reports: Path) -> Starlette:
    """Make the application.

    Parameters
    ----------
    reports
        The lake's `reports/` folder; need not exist yet.
    """
    for name, value in {**_OPTIONS, **THEME}.items():
        config.set_option(name, value)
    pages = st.App(SCRIPT, on_script_error=report_defect)
    lifespan = pages.lifespan()
    # What the script draws takes seconds to load: done before the first person asks, and once there is a runtime, which holds what pages cache.
    import dashboard.shell  # noqa: PLC0415, F401

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/healthz", _healthy),
            Mount("/reports", create_app(reports)),
            Route("/pages/orders/print", print_orders),
            Route("/pages/orders/workbook", download_workbook),
            Route("/pages/orders/table", download_table),
            Route("/pages/overview", _overview),
            Mount("/pages", pages),
        ],
        exception_handlers={MissingData: say_nothing_there, ShelfcastError: say_unreadable},
    )


async def _overview(_: Request) -> RedirectResponse:
    """Streamlit's first page has no address of its own, and whoever types one would be told that there is none."""
    return RedirectResponse("/pages/")


async def _healthy(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})
