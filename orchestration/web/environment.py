"""The bar above every page of the UI that tells in which environment one is, and the way from there to the others'.

Each profile has a UI of its own: webserver, daemon, run history and code location. So no run can be started in one environment for the lake of
another, and the history of neither shows what the other made; the bar makes one UI of them.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.people import Person
from orchestration.profiles import COLOURS, Profile
from orchestration.settings import known_profiles, profile_in_use, settings_in
from orchestration.web.access import PERSON, addresses
from transforms.lake.tables import Lake

PLACE = "/environment/"
_BODY = re.compile(rb"<body[^>]*>")
_HEIGHT = 26
_STYLE = f"""
:root{{--environment-bar:{_HEIGHT}px}}
#shelfcast-environment{{position:fixed;inset:0 0 auto 0;height:{_HEIGHT}px;z-index:2147483000;display:flex;align-items:center;gap:14px;padding:0 12px;
box-sizing:border-box;color:#fff;font:600 13px/1 system-ui,sans-serif;white-space:nowrap;overflow:hidden}}
#shelfcast-environment a{{color:#fff;font-weight:400;text-decoration:underline}}
#shelfcast-environment a:focus-visible{{outline:2px solid #fff;outline-offset:1px}}
body{{padding-top:{_HEIGHT}px!important;box-sizing:border-box;height:100vh;height:100dvh}}
#root,#__next{{height:100%}}
.stApp{{top:{_HEIGHT}px!important}}
@media print{{#shelfcast-environment{{display:none}}body{{padding-top:0!important;height:auto}}.stApp{{top:0!important}}}}
"""


@dataclass(frozen=True)
class Environment:
    """The profile whose UI this is, among all."""

    name: str
    profiles: Mapping[str, Profile]

    @classmethod
    def present(cls) -> "Environment | None":
        """The environment of this process; None without a profile."""
        found = profile_in_use()
        return None if found is None else cls(found[0], known_profiles())

    @property
    def bar(self) -> bytes:
        """What stands at the beginning of each page's body."""
        colour = COLOURS[self.profiles[self.name].colour]
        others = "".join(f'<a href="{PLACE}{html.escape(name)}">{html.escape(name)}</a>' for name in self.profiles if name != self.name)
        told = f'<span aria-current="true">{html.escape(self.name)}</span>{others}'
        return f'<style>{_STYLE}</style><nav id="shelfcast-environment" aria-label="Environment" style="background:{colour}">{told}</nav>'.encode()

    async def way(self, request: Request) -> Response:
        """Lead to the UI of another environment: a person of this machine with the token of that one, anybody else to its own sign-in."""
        name = request.path_params["name"]
        profile = self.profiles.get(name)
        if profile is None:
            return _told(404, f"There is no profile {name!r}.")
        if profile.trusted_proxy:
            return _led(profile.trusted_proxy)
        chosen = settings_in(name)
        person: Person = request.scope[PERSON]
        found = addresses(Lake(chosen.root, chosen.storage_options).path()) if person.role == "operator" else []
        if not found:
            return _told(404, f"No UI of {name} runs on this machine as the present user. Start it: shelfcast ui --profile {name}")
        return _led(found[0])


class WithBar:
    """An application whose pages have the bar of an environment; what is no page of its own (a file, a frame, data) stays as it is."""

    def __init__(self, app: ASGIApp, environment: Environment) -> None:
        self._app, self._bar = app, environment.bar

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with the bar at the beginning of the body."""
        headers = Headers(scope=scope) if scope["type"] == "http" else None
        if headers is None or scope["method"] != "GET" or headers.get("sec-fetch-dest", "document") != "document":
            await self._app(scope, receive, send)
            return
        # A page that is compressed, or that the browser has already, has no place for it.
        left_out = {b"accept-encoding", b"if-none-match", b"if-modified-since", b"range"}
        plain = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name.lower() not in left_out]}
        start: Message | None = None
        body = b""

        async def with_bar(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    await self._send(start, body, send)

        await self._app(plain, receive, with_bar)

    async def _send(self, start: Message, body: bytes, send: Send) -> None:
        page = _BODY.sub(lambda found: found[0] + self._bar, body, count=1)
        headers = MutableHeaders(raw=[pair for pair in start["headers"] if pair[0].lower() not in {b"etag", b"last-modified", b"content-length"}])
        headers["content-length"] = str(len(page))
        await send({**start, "headers": headers.raw})
        await send({"type": "http.response.body", "body": page})


def _is_page(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    return headers.get("content-type", "").startswith("text/html") and "content-encoding" not in headers


def _led(address: str) -> Response:
    return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})


def _told(status: int, sentence: str) -> Response:
    page = (
        f"<!doctype html><meta charset='utf-8'><title>Shelfcast</title><body><p style='font:16px system-ui;padding:1rem'>{html.escape(sentence)}</p>"
    )
    return HTMLResponse(page, status_code=status, headers={"Cache-Control": "no-store"})
