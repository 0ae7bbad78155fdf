"""Headers of answers: how an application gets them. Which ones a browser has to see is the front's, and each application's own."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "Content-Security-Policy"


class WithHeaders:
    """An application whose answers carry `headers` where they have no such header yet, and `added` beside what they have."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] | None = None, added: Mapping[str, str] | None = None) -> None:
        self._app, self._headers, self._added = app, headers or {}, added or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                for name, value in self._added.items():
                    headers.append(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
