"""The front's way to the pages: what gets through, whose it is, and what happens when nobody answers."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from orchestration.people import Person
from orchestration.web.access import TokenDoor
from orchestration.web.relay import Relay
from orchestration.web.webserver import behind_front
from tests.orchestration.waiting import free_port, wait_for


class Door(TokenDoor):
    """A door that knows roles, which may change."""

    role: Any = "planner"

    def admit(self, scope: Any) -> Any:
        found = super().admit(scope)
        return Person("Zoë Ö, the planner", type(self).role, ("ohio",)) if isinstance(found, Person) else found


async def echo(request: Request) -> Response:
    body = await request.body()
    return JSONResponse(
        {"path": request.url.path, "query": request.url.query, "method": request.method, "headers": dict(request.headers), "n": len(body)}
    )


async def talk(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol="streamlit" if "streamlit" in websocket.scope["subprotocols"] else None)
    await websocket.send_json(dict(websocket.headers))
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("bytes") is not None:
            await websocket.send_bytes(message["bytes"][::-1])
        else:
            await websocket.send_text(message["text"].upper())


@contextmanager
def served(app: ASGIApp, **where: Any) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, ws_max_size=64 << 20, **where))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, 30)
        yield
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def front() -> Iterator[str]:
    socket_, port = str(Path(mkdtemp()) / "pages.socket"), free_port()
    inner = Starlette(routes=[WebSocketRoute("/pages/stream", talk), Route("/{path:path}", echo, methods=["GET", "POST", "PUT", "DELETE"])])
    door = Door(port, "t0k3n", "ann")
    with served(inner, uds=socket_), served(behind_front(Starlette(), Relay(socket_, door), door), host="127.0.0.1", port=port):
        yield f"http://127.0.0.1:{port}"


SHOWN = {"authorization": "Bearer t0k3n"}


def test_the_pages_are_told_who_asks_and_no_more(front: str) -> None:
    forged = {**SHOWN, "x-shelfcast-person": "mallory", "x-shelfcast-role": "operator", "cookie": "shelfcast-3000=secret; other=1"}
    seen = httpx.get(f"{front}/pages/orders?region=ohio&x=%26", headers=forged).json()
    assert (seen["path"], seen["query"]) == ("/pages/orders", "region=ohio&x=%26")
    headers = seen["headers"]
    assert headers["x-shelfcast-person"] == "Zo%C3%AB%20%C3%96%2C%20the%20planner"
    assert (headers["x-shelfcast-role"], headers["x-shelfcast-regions"]) == ("planner", "ohio")
    assert headers["cookie"] == "other=1"
    assert "authorization" not in headers


def test_the_address_alone_leads_to_the_pages(front: str) -> None:
    for path in ("/", "/pages"):
        answer = httpx.get(f"{front}{path}", headers=SHOWN)
        assert (answer.status_code, answer.headers["location"]) == (307, "/pages/")


def test_uploads_reach_the_pages_and_nothing_else_is_put(front: str) -> None:
    body = b"x" * 3_000_000
    answer = httpx.put(f"{front}/pages/_stcore/upload_file/a/b", headers=SHOWN, content=body)
    assert (answer.json()["method"], answer.json()["n"]) == ("PUT", len(body))
    for path in ("/pages/orders", "/runs"):
        assert httpx.put(f"{front}{path}", headers=SHOWN).status_code in {404, 405}, path
    foreign = {"origin": "http://evil.example", "host": front[7:]}
    assert httpx.put(f"{front}/pages/_stcore/upload_file/a/b", headers={**SHOWN, **foreign}).status_code == 403
    assert httpx.options(f"{front}/pages/_stcore/upload_file/a/b", headers={**SHOWN, **foreign}).status_code == 403


def test_viewers_upload_nothing_and_others_so_many_in_a_minute(front: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is uploaded lay in the memory of the pages' process, from anybody and without end."""
    place = f"{front}/pages/_stcore/upload_file/a/b"
    found = [httpx.put(place, headers=SHOWN, content=b"x").status_code for _ in range(12)]
    assert found[-2:] == [429, 429]
    assert found.count(200) in {9, 10}  # another test may have uploaded one
    monkeypatch.setattr(Door, "role", "viewer")
    answer = httpx.put(place, headers=SHOWN, content=b"x")
    assert (answer.status_code, "uploaded by planners and operators" in answer.text) == (403, True)


def test_nobody_without_a_session_reaches_the_pages(front: str) -> None:
    for path in ("/pages/", "/pages/_stcore/health", "/healthz", "/reports/"):
        assert httpx.get(f"{front}{path}").status_code == 401
    with pytest.raises(InvalidStatus) as refused, connect(f"{front.replace('http', 'ws')}/pages/stream"):
        pass
    assert refused.value.response.status_code == 401


def test_a_websocket_says_what_both_sides_say(front: str) -> None:
    place = f"{front.replace('http', 'ws')}/pages/stream"
    with connect(place, origin=front, subprotocols=["streamlit", "x"], additional_headers=SHOWN, max_size=None) as pages:  # type: ignore[arg-type,list-item]
        assert '"x-shelfcast-role":"planner"' in str(pages.recv(timeout=10))
        assert pages.subprotocol == "streamlit"
        pages.send("hello")
        assert pages.recv(timeout=10) == "HELLO"
        large = bytes(range(256)) * 10_000
        pages.send(large)
        assert pages.recv(timeout=20) == large[::-1]


def test_what_is_said_with_another_role_begins_another_conversation_and_nothing_of_the_first_is_there(
    front: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, asked = f"{front.replace('http', 'ws')}/pages/stream", ["streamlit", "x", "an-earlier-conversation"]
    with connect(place, origin=front, subprotocols=asked, additional_headers=SHOWN) as pages:  # type: ignore[arg-type]
        first = str(pages.recv(timeout=10))
        assert '"x-shelfcast-role":"planner"' in first
        assert "an-earlier-conversation" not in first
        pages.send("one")
        assert pages.recv(timeout=10) == "ONE"
        monkeypatch.setattr(Door, "role", "viewer")
        pages.send("two")
        assert '"x-shelfcast-role":"viewer"' in str(pages.recv(timeout=10))
        assert pages.recv(timeout=10) == "TWO"
        pages.send("three")
        assert pages.recv(timeout=10) == "THREE"


def test_who_is_not_let_in_any_more_says_nothing_more(front: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(f"{front.replace('http', 'ws')}/pages/stream", origin=front, additional_headers=SHOWN) as pages:  # type: ignore[arg-type]
        pages.recv(timeout=10)
        monkeypatch.setattr(Door, "admit", lambda *_: PlainTextResponse("no", status_code=403))
        pages.send("two")
        with pytest.raises(ConnectionClosed):
            pages.recv(timeout=10)
    assert pages.close_code == 1008


def test_a_hundred_requests_at_once_are_all_answered(front: str) -> None:
    async def ask() -> list[int]:
        async with httpx.AsyncClient(headers=SHOWN, timeout=60, limits=httpx.Limits(max_connections=100)) as client:
            return [answer.status_code for answer in await asyncio.gather(*(client.get(f"{front}/pages/{n}") for n in range(100)))]

    assert asyncio.run(ask()) == [200] * 100


def test_pages_that_do_not_answer_are_told_in_a_sentence(tmp_path: Path) -> None:
    port = free_port()
    door = Door(port, "t0k3n", "ann")
    with served(behind_front(Starlette(), Relay(str(Path(mkdtemp()) / "none"), door), door), host="127.0.0.1", port=port):
        answer = httpx.get(f"http://127.0.0.1:{port}/pages/", headers=SHOWN)
        assert (answer.status_code, answer.text[:22]) == (503, "The pages are starting")
        with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{port}/pages/stream", additional_headers=SHOWN):
            pass
        assert refused.value.response.status_code == 503


def test_a_cookie_of_another_program_on_the_host_may_hold_any_bytes(front: str) -> None:
    """Cookies are shared by all ports of a host: one with a letter beyond ASCII shut its owner out of all pages."""
    answer = httpx.get(f"{front}/pages/x", headers=[(b"authorization", b"Bearer t0k3n"), (b"cookie", "who=Jos\u00e9".encode())])
    assert answer.status_code == 200
