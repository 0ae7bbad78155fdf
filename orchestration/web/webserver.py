"""The process behind `shelfcast ui`: the Dagster webserver and, below /reports, the lake's reports, as one application behind one front.

Both lie on one port, so that links from asset pages to reports name none; and the webserver has no port of its own that a page could call.
"""

import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import dagster as dg
import uvicorn
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from orchestration.people import login
from orchestration.settings import CHECKOUT, settings
from orchestration.web.access import Door, SignedIn, TokenDoor, token_at
from orchestration.web.front import BASE_HEADERS, POLICY, SameOriginOnly, WithHeaders, ui_policy
from orchestration.web.reports_server import create_app
from orchestration.web.run_coordinator import PersonalRunCoordinator
from orchestration.web.team import proxy_door
from orchestration.web.workspace import PersonalProcessContext
from transforms.errors import ConfigurationError
from transforms.lake.remote.working_copy import pulled
from transforms.lake.tables import Lake

_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_SECONDS, _POOL_OVERFLOW = 15_000, 3600, 20  # as `dagster-webserver` has them
_GRACE_SECONDS = 5
_REPORTS_SECONDS = 15


def behind_front(dagster: ASGIApp, reports: Path, door: Door) -> ASGIApp:
    """The whole application as it is served to whom `door` admits."""
    routes = [Mount("/reports", create_app(reports)), Mount("/", WithHeaders(dagster, added={POLICY: ui_policy(door.origins)}))]
    return WithHeaders(SameOriginOnly(SignedIn(Starlette(routes=routes), door), door.origins), BASE_HEADERS)


def main(port: int) -> None:
    """Serve the lake of the environment until told to end."""
    chosen = settings()
    lake = Lake(chosen.root, chosen.storage_options)
    root = lake.path()
    if not lake.is_local:
        threading.Thread(target=_keep_current, args=(lake,), daemon=True).start()
    door = proxy_door(chosen, root) or TokenDoor(port, token_at(root, port), login())
    with dg.DagsterInstance.get() as instance:
        if not isinstance(instance.run_coordinator, PersonalRunCoordinator):
            raise ConfigurationError(
                f"{root / 'dagster' / 'dagster.yaml'} names a queue of runs that does not put on a run who started it. "
                "Remove run_queue and run_coordinator from it; limits belong below concurrency."
            )
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_SECONDS, _POOL_OVERFLOW)
        workspace = WorkspaceFileTarget([str(CHECKOUT / "workspace.yaml")])
        with PersonalProcessContext(instance, workspace_load_target=workspace, version=dg.__version__) as context:
            app = behind_front(create_app_from_workspace_process_context(context), root / "reports", door)
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


def _keep_current(lake: Lake) -> None:
    """Copy reports from the store as they come: what is served is the working copy."""
    while True:
        # A store that does not answer now does so later; the reports that were copied are served meanwhile.
        with suppress(ConfigurationError):
            pulled(lake, "reports")
        time.sleep(_REPORTS_SECONDS)


if __name__ == "__main__":
    main(int(sys.argv[1]))
