"""Who is asking: the door of the UI, at which a request shows its session, and the file below the root that holds the address to open.

A browser shows a cookie, a program the token itself. What a person may then do is no business of this module.
"""

import hmac
import html
import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from orchestration.people import Person, token_files
from orchestration.settings import held_by
from transforms.errors import ConfigurationError

PERSON = "shelfcast.person"
"""Key of a request's scope below which its `Person` lies."""

SCRAPERS = "SHELFCAST_METRICS"
"""Variable with the token that scrapers of `/metrics` show."""

_SHORTEST = 32
_LOOPBACK = ("127.0.0.1", "localhost")
_HTTP_PORT = 80
_PARAMETER = "token"
_PORT = re.compile(r"ui-(\d+)")
PUBLIC = "/reports/assets/"
"""Libraries that draw a report's plots; there is nothing of the lake in one, and a page in a sandbox has no session to show."""


class Door(Protocol):
    """Decides who comes in."""

    @property
    def origins(self) -> frozenset[str]:
        """The origins of the UI's own pages, like http://127.0.0.1:3000."""
        ...

    def admit(self, scope: Scope) -> Person | Response:
        """The person who asks, or the answer to somebody who may not."""
        ...


class SignedIn:
    """An application that answers persons whom a door admits, and tells it in the scope who they are."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        if scope["type"] not in {"http", "websocket"} or (scope["type"] == "http" and scope["path"].startswith(PUBLIC)):
            await self._app(scope, receive, send)
            return
        found = self._door.admit(scope)
        if isinstance(found, Person):
            await self._app({**scope, PERSON: found}, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(found)
        else:
            await found(scope, receive, send)


@dataclass(frozen=True)
class TokenDoor:
    """The door of one person's own machine: in comes who has the token that was made when the UI started.

    Cookies are shared between the ports of a host: the name tells the port, so that two lakes do not sign each other out, and the value is not the
    token, so that a server at another port, to which the browser shows it too, learns nothing that a program could sign in with elsewhere.
    """

    port: int
    token: str = field(repr=False)
    name: str

    @property
    def origins(self) -> frozenset[str]:
        """The loopback names at the port."""
        return frozenset(f"http://{name}" if self.port == _HTTP_PORT else f"http://{name}:{self.port}" for name in _LOOPBACK)

    def admit(self, scope: Scope) -> Person | Response:
        """Admit a program with the token and a browser with its session; exchange a token in the address for a session."""
        headers = Headers(scope=scope)
        known = self._is_program(headers) or self._has_session(headers)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["type"] == "http" and scope["method"] == "GET" and (shown := [value for name, value in query if name == _PARAMETER]):
            if known or same(shown[0], self.token):
                return self._sign_in(scope["path"], urlencode([pair for pair in query if pair[0] != _PARAMETER]))
            return _unknown("The token in this address is not the one of the UI that runs now: each start makes a new one.")
        if known:
            return Person(self.name, "operator")
        if _came_from_elsewhere(scope, headers):
            return _once_more(scope)
        return _unknown("This request has no session.")

    @property
    def _cookie(self) -> str:
        return f"shelfcast-{self.port}"

    @property
    def _session(self) -> str:
        return hmac.digest(self.token.encode(), b"session of a browser", "sha256").hex()

    def _is_program(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and same(token.strip(), self.token)

    def _has_session(self, headers: Headers) -> bool:
        cookies = (cookie_parser(header) for header in headers.getlist("cookie"))
        return any(same(found[self._cookie], self._session) for found in cookies if self._cookie in found)

    def _sign_in(self, path: str, query: str) -> Response:
        # Two slashes would begin the name of another host.
        place = "/" + quote(path.lstrip("/\\"))
        answer = RedirectResponse(f"{place}?{query}" if query else place, status_code=303, headers={"Cache-Control": "no-store"})
        answer.set_cookie(self._cookie, self._session, httponly=True, samesite="strict", path="/")
        return answer


def _came_from_elsewhere(scope: Scope, headers: Headers) -> bool:
    """Whether a person followed a link of a page that is not the UI's, such as a report in its sandbox: browsers then leave a strict cookie out."""
    kind = [headers.get(f"sec-fetch-{name}") for name in ("mode", "dest", "site")]
    return scope["type"] == "http" and scope["method"] == "GET" and kind[:2] == ["navigate", "document"] and kind[2] in {"cross-site", "same-site"}


def _once_more(scope: Scope) -> Response:
    """A page that asks for the same address again, now as a page of the UI; without a session that is refused."""
    query = scope["query_string"].decode("latin-1")
    again = html.escape("/" + quote(scope["path"].lstrip("/\\")) + (f"?{query}" if query else ""))
    return HTMLResponse(
        f"<!doctype html><meta charset='utf-8'><meta http-equiv='refresh' content='0;url={again}'><title>Shelfcast</title>",
        headers={"Cache-Control": "no-store"},
    )


def _unknown(reason: str) -> Response:
    sentence = (
        f"{reason} Open the address that 'shelfcast ui' printed, or 'shelfcast ui --address' prints; a program sends 'Authorization: Bearer TOKEN'."
    )
    return PlainTextResponse(f"{sentence}\n", status_code=401, headers={"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"})


def same(shown: str, expected: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(shown.encode(), expected.encode())


def scrapers_token() -> str:
    """The token that scrapers show; empty where nobody may scrape. Raise `ConfigurationError` where it is too short to be a secret."""
    token = held_by(SCRAPERS)
    if token and len(token) < _SHORTEST:
        raise ConfigurationError(
            f"{SCRAPERS}: expected a token of {_SHORTEST} characters or more, which scrapers show as 'Authorization: Bearer TOKEN', "
            f"came {len(token)}. Make one: openssl rand -hex 32. Keep it in a file that {SCRAPERS}_FILE names."
        )
    return token


@contextmanager
def new_token(root: Path, port: int) -> Iterator[str]:
    """While this is open the UI at `port` has a new token, which only the present user of the machine can read."""
    if _answers(port):
        raise ConfigurationError(f"Port {port} is in use: choose another with --port. 'shelfcast ui --address' prints where a UI of this lake runs.")
    token, file = secrets.token_urlsafe(32), _file(root, port)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(token)
    try:
        yield token
    finally:
        if file.is_file() and file.read_text() == token:
            file.unlink()


def token_at(root: Path, port: int) -> str:
    """The token of the UI at `port`."""
    return _file(root, port).read_text()


def address(port: int, token: str) -> str:
    """The address that a person opens to sign in."""
    return f"{origin_at(port)}/?{_PARAMETER}={token}"


def origin_at(port: int) -> str:
    """The origin of the UI at `port`."""
    return f"http://{_LOOPBACK[0]}:{port}"


def addresses(root: Path) -> list[str]:
    """The address of each UI of a lake that answers."""
    ports = sorted(int(found[1]) for file in token_files(root) if (found := _PORT.fullmatch(file.stem)))
    return [address(port, token_at(root, port)) for port in ports if _answers(port)]


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((_LOOPBACK[0], port)) == 0


def _file(root: Path, port: int) -> Path:
    return root / f"ui-{port}.token"
