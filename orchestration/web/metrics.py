"""`/metrics`: what the front measures of itself and of the lake, for a Prometheus server that shows its token, and for nobody else.

A scraper is no person: it has no session, and nobody's session opens this. So it is asked for before a door is, and by no browser: none sends the
header without having asked first, which is refused.
"""

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.telemetry.exposition import LakeMeasurements
from orchestration.web.access import SCRAPERS, same
from transforms.lake.tables import Lake

PATH = "/metrics"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
_PARTS = ("pages", "reports", "metrics")
_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Measured:
    """An application whose requests and WebSockets are counted, and which answers scrapers with all measurements."""

    def __init__(self, app: ASGIApp, lake: Lake, token: str) -> None:
        self._app, self._token = app, token
        registry = self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        registry.register(LakeMeasurements(lake))
        self._requests = Counter("shelfcast_http_requests_total", "Requests that were answered.", ("part", "method", "code"), registry=registry)
        self._seconds = Histogram(
            "shelfcast_http_request_duration_seconds", "Time until an answer was complete.", ("part",), registry=registry, buckets=_BUCKETS
        )
        self._sockets = Gauge("shelfcast_websockets_open", "WebSockets that are open.", ("part",), registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and measure."""
        if scope["type"] == "websocket":
            with self._sockets.labels(_part(scope)).track_inprogress():
                await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._counted(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, code = time.perf_counter(), "none"

        async def watched(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = str(message["status"])
            await send(message)

        part, method = _part(scope), scope["method"] if scope["method"] in _METHODS else "other"
        try:
            app: Any = await self._answer(scope) if scope["path"] == PATH else self._app
            await app(scope, receive, watched)
        finally:
            self._requests.labels(part, method, code).inc()
            self._seconds.labels(part).observe(time.perf_counter() - began)

    async def _answer(self, scope: Scope) -> Response:
        headers = Headers(scope=scope)
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not same(shown.strip(), self._token):
            asked = {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"}
            return PlainTextResponse(f"Scrapers show the token of {SCRAPERS}: 'Authorization: Bearer TOKEN'.\n", status_code=401, headers=asked)
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("Measurements are read by GET.\n", status_code=405, headers={"Allow": "GET, HEAD"})
        encode, kind = choose_encoder(headers.get("accept", ""))
        # The lake is read in a thread of its own: pages are answered meanwhile.
        found = await run_in_threadpool(encode, self._registry)
        return Response(found, headers={"Content-Type": kind, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})


def _part(scope: Scope) -> str:
    first = scope["path"].strip("/").partition("/")[0]
    return first if first in _PARTS else "dagster"
