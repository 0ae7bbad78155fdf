"""Serve the pages and reports of the lake that the environment names, at a Unix socket: `python -m dashboard SOCKET`. `shelfcast ui` starts it."""

import sys
import threading

import uvicorn

from dashboard.serving.ahead import ask_ahead
from dashboard.serving.application import create_application
from orchestration.settings import settings
from transforms.lake.tables import Lake

_GRACE_SECONDS = 5


def main(socket: str) -> None:
    """Serve until told to end."""
    chosen = settings()
    lake = Lake(chosen.root, chosen.storage_options)
    application = create_application(lake.path() / "reports")
    threading.Thread(target=ask_ahead, args=[lake], daemon=True).start()
    uvicorn.run(
        application,
        uds=socket,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


if __name__ == "__main__":
    main(sys.argv[1])
