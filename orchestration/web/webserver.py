"""The process behind `shelfcast ui`: the Dagster webserver and, from the process that serves them, pages and reports, behind one front.

All lie on one port, so that links between them name none; and neither the webserver nor the pages have a port of their own that a page could call.
"""

import sys
import threading
import time
from contextlib import suppress
from itertools import count

import dagster as dg
import uvicorn
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from orchestration.people import login
from orchestration.settings import settings
from orchestration.web.access import Door, SignedIn, TokenDoor, scrapers_token, token_at
from orchestration.web.environment import PLACE, Environment, WithBar
from orchestration.web.front import BASE_HEADERS, SameOriginOnly, ui_policy
from orchestration.web.headers import POLICY, WithHeaders
from orchestration.web.relay import Relay
from orchestration.web.run_coordinator import PersonalRunCoordinator
from orchestration.web.team import ROLES, proxy_door
from orchestration.web.workspace import PersonalProcessContext
from transforms.errors import ConfigurationError
from transforms.lake.remote.working_copy import brought, pulled
from transforms.lake.tables import Lake

_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_SECONDS, _POOL_OVERFLOW = 15_000, 3600, 20  # as `dagster-webserver` has them
_GRACE_SECONDS = 5
_ROLES_SECONDS, _REPORTS_EVERY = 2, 8
_SILENT_SECONDS = 60
"""So long the roles hold that a store had last; then nobody is admitted until it answers."""


def behind_front(dagster: ASGIApp, pages: ASGIApp, door: Door, environment: Environment | None = None) -> ASGIApp:
    """The whole application as it is served to whom `door` admits: people come to the pages first, and find Dagster from there.

    Parameters
    ----------
    environment
        The profile whose name and colour stand above each page, with the way to the others.
    """
    # Reports lie in a sandbox of their own.
    shown, dagster_shown = (pages, dagster) if environment is None else (WithBar(pages, environment), WithBar(dagster, environment))
    routes = [
        *([] if environment is None else [Route(f"{PLACE}{{name}}", environment.way)]),
        Route("/", _to_pages),
        Route("/pages", _to_pages),
        Mount("/pages", WithHeaders(shown, added={POLICY: ui_policy(door.origins, "blob:")})),
        Mount("/reports", pages),
        Route("/healthz", pages),
        Mount("/", WithHeaders(dagster_shown, added={POLICY: ui_policy(door.origins)})),
    ]
    return WithHeaders(SameOriginOnly(SignedIn(Starlette(routes=routes), door), door.origins), BASE_HEADERS)


async def _to_pages(_: Request) -> RedirectResponse:
    return RedirectResponse("/pages/")


def main(port: int, pages: str, workspace_file: str) -> None:
    """Serve the lake of the environment until told to end, with the pages that answer at a Unix socket."""
    chosen = settings()
    lake = Lake(chosen.root, chosen.storage_options)
    root = lake.path()
    copied = Copies(lake)
    if not lake.is_local:
        threading.Thread(target=copied.keep_current, daemon=True).start()
    door = proxy_door(chosen, lake, copied.is_current) or TokenDoor(port, token_at(root, port), login())
    with dg.DagsterInstance.get() as instance:
        if not isinstance(instance.run_coordinator, PersonalRunCoordinator):
            raise ConfigurationError(
                f"{root / 'dagster' / 'dagster.yaml'} names a queue of runs that does not put on a run who started it. "
                "Remove run_queue and run_coordinator from it; limits belong below concurrency."
            )
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_SECONDS, _POOL_OVERFLOW)
        workspace = WorkspaceFileTarget([workspace_file])
        with PersonalProcessContext(instance, workspace_load_target=workspace, version=dg.__version__) as context:
            app = behind_front(create_app_from_workspace_process_context(context), Relay(pages, door), door, Environment.present())
            if token := scrapers_token():
                from orchestration.web.metrics import Measured  # noqa: PLC0415 - a library that only scrapers need

                app = Measured(app, lake, token)
            # No log of accesses: the address with which a person signs in would stand in it.
            uvicorn.run(
                app,
                host="127.0.0.1",
                port=port,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )


class Copies:
    """What the UI serves, and whom it admits, of a lake in a store: copies, brought up to date as long as the store answers."""

    def __init__(self, lake: Lake) -> None:
        self._lake, self._answered = lake, time.monotonic()

    def is_current(self) -> bool:
        """Whether the store has answered lately; always of a lake that is a folder."""
        return self._lake.is_local or time.monotonic() - self._answered < _SILENT_SECONDS

    def look(self, reports: bool) -> None:
        """Copy the roles as they are now, and the reports that changed."""
        brought(self._lake, ROLES)
        self._answered = time.monotonic()
        if reports:
            pulled(self._lake, "reports")

    def keep_current(self) -> None:
        """Look again and again, at the reports less often."""
        for number in count():
            # A store that does not answer now does so later; the reports that were copied are served meanwhile.
            with suppress(ConfigurationError):
                self.look(reports=number % _REPORTS_EVERY == 0)
            time.sleep(_ROLES_SECONDS)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
