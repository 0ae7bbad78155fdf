"""The front's way to the process that serves the pages: requests and WebSockets go to its Unix socket, with the person who asks in their headers.

Nobody else reaches that socket, so that the pages believe these headers. What a person may read or do there is the pages' business.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import quote

import httpx
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from orchestration.people import PERSON_HEADER, REGIONS_HEADER, ROLE_HEADER, Person
from orchestration.web.access import PERSON, Door

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
)
_OWN = ("x-shelfcast-", "authorization", "x-forwarded-", "sec-websocket-")
_LARGEST_MESSAGE = 64 << 20
_UPLOADS, _UPLOADS_SECONDS = 10, 60.0
_POLICY_VIOLATION, _TRY_AGAIN = 1008, 1013
_STARTING = "The pages are starting, or their process has ended: try again in some seconds. The log is services.log below the lake's root."


class Relay:
    """An application that answers as the one behind the socket does."""

    def __init__(self, socket: str, door: Door) -> None:
        self._socket, self._door = socket, door
        self._uploads = dict[str, deque[float]]()
        # Each request its own connection, which costs nothing here: one that was kept may be closed by the other side just when it is used again.
        transport = httpx.AsyncHTTPTransport(uds=socket, limits=httpx.Limits(max_connections=None, max_keepalive_connections=0))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://pages", timeout=httpx.Timeout(5, read=None), follow_redirects=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay one request, or one WebSocket for as long as it is open."""
        if scope["type"] == "http":
            answer = await self._answer(Request(scope, receive))
            await answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._converse(WebSocket(scope, receive, send))

    async def _answer(self, request: Request) -> Response:
        if request.method == "PUT" and (refusal := self._refused_upload(request.scope[PERSON])) is not None:
            return refusal
        path = quote(request.scope["path"])
        url = httpx.URL(path=path, query=request.scope["query_string"]) if request.scope["query_string"] else httpx.URL(path=path)
        outgoing = self._client.build_request(
            request.method,
            url,
            headers=_as_they_came(_headers(request.scope)),
            content=None if request.method in {"GET", "HEAD"} else request.stream(),
        )
        try:
            incoming = await self._client.send(outgoing, stream=True)
        except httpx.TransportError:
            return PlainTextResponse(f"{_STARTING}\n", status_code=503, headers={"Retry-After": "2"})
        answer = StreamingResponse(incoming.aiter_raw(), status_code=incoming.status_code, background=BackgroundTask(incoming.aclose))
        answer.raw_headers = [(name.lower(), value) for name, value in incoming.headers.raw if _is_relayed(name.decode("latin-1").lower())]
        return answer

    def _refused_upload(self, person: Person) -> Response | None:
        """What is uploaded stays in the pages' memory for as long as its page is open: only from those who have a use for it, and so much of it."""
        if person.role == "viewer":
            return PlainTextResponse(f"{person.name} is a viewer: workbooks are uploaded by planners and operators.\n", status_code=403)
        now, lately = time.monotonic(), self._uploads.setdefault(person.name, deque(maxlen=_UPLOADS))
        if len(lately) == _UPLOADS and now - lately[0] < _UPLOADS_SECONDS:
            return PlainTextResponse(f"More than {_UPLOADS} uploads of {person.name} in a minute: try again in one.\n", status_code=429)
        lately.append(now)
        return None

    async def _converse(self, websocket: WebSocket) -> None:
        """Relay what both sides say, for as long as the browser stays connected. Each conversation is one person's, as they are at its beginning."""
        said: Message | None = None
        while (inner := await self._connect(websocket)) is not None:
            if said is None:
                await websocket.accept(subprotocol=inner.subprotocol)
            async with inner:
                said = await self._relay(websocket, inner, said)
            if said is None:
                return

    async def _connect(self, websocket: WebSocket) -> ClientConnection | None:
        # The third names the conversation that a broken connection was of. It may have been somebody else's, so each begins a new one: the browser
        # tells what is selected and entered.
        asked = [Subprotocol(name) for name in websocket.scope.get("subprotocols", [])[:2]]
        query = websocket.scope["query_string"].decode("latin-1")
        uri = f"ws://pages{quote(websocket.scope['path'])}{f'?{query}' if query else ''}"
        # Host and Origin are the front's to judge.
        headers = [(name, value) for name, value in _headers(websocket.scope) if name not in {"host", "origin"}]
        try:
            return await unix_connect(
                self._socket, uri, subprotocols=asked or None, additional_headers=headers, max_size=_LARGEST_MESSAGE, compression=None, proxy=None
            )
        except (OSError, InvalidHandshake, TimeoutError):
            if websocket.application_state == WebSocketState.CONNECTING:
                await websocket.send_denial_response(PlainTextResponse(f"{_STARTING}\n", status_code=503))
            else:
                await websocket.close(_TRY_AGAIN)
            return None

    async def _relay(self, websocket: WebSocket, inner: ClientConnection, first: Message | None) -> Message | None:
        """Relay one conversation; what the browser said as somebody else, who begins another one, or None where it is over."""
        if first is not None:
            await _say(inner, first)
        upwards, downwards = asyncio.create_task(self._upwards(websocket, inner)), asyncio.create_task(_downwards(websocket, inner))
        _, pending = await asyncio.wait({upwards, downwards}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        said, _ = await asyncio.gather(upwards, downwards, return_exceptions=True)
        return None if isinstance(said, BaseException) else said

    async def _upwards(self, websocket: WebSocket, inner: ClientConnection) -> Message | None:
        """What the browser says. Each message is somebody's: a role may have been taken away since the last one, or somebody else have signed in."""
        person = websocket.scope[PERSON]
        with suppress(WebSocketDisconnect, ConnectionClosed):
            while (message := await websocket.receive())["type"] == "websocket.receive":
                asks = self._door.admit(websocket.scope)
                if not isinstance(asks, Person):
                    await websocket.close(_POLICY_VIOLATION)
                    return None
                if asks != person:
                    websocket.scope[PERSON] = asks
                    return message
                await _say(inner, message)
        return None


async def _say(inner: ClientConnection, message: Message) -> None:
    said: bytes | str = message["text"] if message.get("bytes") is None else message["bytes"]
    await inner.send(said)


async def _downwards(websocket: WebSocket, inner: ClientConnection) -> None:
    """What the pages say."""
    with suppress(WebSocketDisconnect, ConnectionClosed, RuntimeError):
        async for message in inner:
            if isinstance(message, str):
                await websocket.send_text(message)
            else:
                await websocket.send_bytes(message)
        await websocket.close(inner.close_code or 1000)


def _as_they_came(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Headers as bytes: a cookie of another program on this host may hold any, which httpx would take for a text of ASCII."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _headers(scope: Scope) -> list[tuple[str, str]]:
    """The request's headers without its session, and with the person who asks."""
    found = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    kept = [(name, value) for name, value in found if _is_relayed(name) and not name.startswith(_OWN) and name != "cookie"]
    cookies = _without_session(value for name, value in found if name == "cookie")
    person = scope.get(PERSON)
    return [*kept, *([("cookie", cookies)] if cookies else []), *(_named(person) if isinstance(person, Person) else [])]


def _named(person: Person) -> list[tuple[str, str]]:
    said = [(PERSON_HEADER, quote(person.name)), (ROLE_HEADER, person.role)]
    return said if person.regions is None else [*said, (REGIONS_HEADER, ",".join(map(quote, person.regions)))]


def _is_relayed(name: str) -> bool:
    return name not in _HOP_BY_HOP


def _without_session(headers: Iterable[str]) -> str:
    pairs = (pair.strip() for header in headers for pair in header.split(";"))
    return "; ".join(pair for pair in pairs if pair and not pair.startswith("shelfcast-"))
