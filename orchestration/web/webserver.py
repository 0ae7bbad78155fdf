"""The process behind `shelfcast ui`: the Dagster webserver and, below /reports, the lake's reports, as one application behind one front.

Both lie on one port, so that links from asset pages to reports name none; and the webserver has no port of its own that a page could call.
"""

import sys
from pathlib import Path

import dagster as dg
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from orchestration.settings import CHECKOUT, settings
from orchestration.web.front import BASE_HEADERS, POLICY, SameOriginOnly, WithHeaders, ui_policy
from orchestration.web.reports_server import create_app
from transforms.lake.tables import Lake

_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_SECONDS, _POOL_OVERFLOW = 15_000, 3600, 20  # as `dagster-webserver` has them
_GRACE_SECONDS = 5


def behind_front(dagster: ASGIApp, reports: Path, port: int) -> ASGIApp:
    """The whole application as it is served at `port`."""
    routes = [Mount("/reports", create_app(reports)), Mount("/", WithHeaders(dagster, added={POLICY: ui_policy(port)}))]
    return WithHeaders(SameOriginOnly(Starlette(routes=routes), port), BASE_HEADERS)


def main(port: int) -> None:
    """Serve the lake of the environment until told to end."""
    chosen = settings()
    reports = Lake(chosen.root, chosen.storage_options).path("reports")
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_SECONDS, _POOL_OVERFLOW)
        workspace = WorkspaceFileTarget([str(CHECKOUT / "workspace.yaml")])
        with WorkspaceProcessContext(instance, workspace_load_target=workspace, version=dg.__version__) as context:
            app = behind_front(create_app_from_workspace_process_context(context), reports, port)
            uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS)


if __name__ == "__main__":
    main(int(sys.argv[1]))
