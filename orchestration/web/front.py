"""The ASGI front of `shelfcast ui`: which requests reach the Dagster webserver and the reports, and what a browser may do with their answers.

Dagster's webserver asks nobody who they are and executes mutations, by GET too; and a browser sends requests to this machine for any page that it
shows, with its session where the page lies on another port of this machine: cookies know no ports. Who asks is for `orchestration.web.access`.
"""

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from orchestration.web.access import PUBLIC
from orchestration.web.headers import POLICY

_READING = frozenset({"GET", "HEAD"})
_NOTEBOOKS = frozenset({"notebook", "dagit/notebook"})
_UPLOADING, _UPLOADS = frozenset({"PUT", "DELETE"}), "pages/_stcore/upload_file/"
_FOREIGN = frozenset({"cross-site", "same-site"})

BASE_HEADERS = {
    POLICY: "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Permitted-Cross-Domain-Policies": "none",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "private, no-cache",
}
"""For each answer that does not say better."""


def ui_policy(origins: Iterable[str], scripts: str = "") -> str:
    """Content security policy of the Dagster UI, beside its own (browsers enforce both), and of the pages: all comes from here and stays here.

    Parameters
    ----------
    scripts
        Where scripts may come from beside: Streamlit makes a module of each component in the browser itself (`blob:`).
    """
    sockets = " ".join(origin.replace("http", "ws", 1) for origin in sorted(origins))
    return (
        f"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'{scripts and f' {scripts}'}; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        f"font-src 'self' data:; worker-src 'self' blob:; connect-src 'self' {sockets}; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )


class SameOriginOnly:
    """An application that answers under its own names, to its own pages and to programs; other pages are refused with a sentence.

    Browsers send Origin with each POST and each WebSocket, and ask beforehand (a preflight, which is refused) where a page of another origin wants to
    post JSON; and they say whether another site or another port asks (Sec-Fetch-Site), of which only a person who follows a link gets an answer. A
    program sends neither, and is asked for JSON alike.
    """

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self._app, self._own = app, {origin.partition("://")[2]: origin for origin in sorted(origins)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        refusal = self._refusal(scope) if scope["type"] in {"http", "websocket"} else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(refusal)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        return self._foreign(Headers(scope=scope), scope["path"].startswith(PUBLIC)) or (_not_served(scope) if scope["type"] == "http" else None)

    def _foreign(self, headers: Headers, public: bool) -> PlainTextResponse | None:
        hosts, origins = ([value.lower() for value in headers.getlist(name)] for name in ("host", "origin"))
        own = self._own
        if len(hosts) != 1 or hosts[0] not in own:
            return _refuse(403, f"The host is {_list(hosts)}; expected {_list(own)}. Open the UI under the address that 'shelfcast ui' printed.")
        if not set(origins) <= set(own.values()):
            return _refuse(
                403, f"This page's origin is {_list(origins)}; expected {_list(own.values())}. Other web pages have no access to this lake."
            )
        if not public and headers.get("sec-fetch-site") in _FOREIGN and headers.get("sec-fetch-dest") != "document":
            return _refuse(403, "Another web page asks for a part of the UI; expected a page of the UI itself, or a person who follows a link.")
        return None


def _not_served(scope: Scope) -> PlainTextResponse | None:
    """A refusal of what another page could send without asking first, and of pages of Dagster's that would run foreign scripts as the UI's own.

    Reading must change nothing, and all else is JSON by POST.
    """
    path = scope["path"].strip("/").lower()
    if path in _NOTEBOOKS:
        return _refuse(
            404, "Notebooks are not shown here: Dagster would show any file of this machine, with its scripts as the UI's own. Use Jupyter."
        )
    if scope["method"] in _READING and path == "graphql" and scope["query_string"]:
        return _refuse(405, "GraphQL is asked by POST: a GET can be sent by any web page. Post JSON with the field 'query'.")
    # A browser asks beforehand whether a page of another origin may put or delete, which is refused.
    if scope["method"] in _READING or (scope["method"] in _UPLOADING and path.startswith(_UPLOADS)):
        return None
    if scope["method"] != "POST":
        return _refuse(405, f"The method is {scope['method']}; expected GET, HEAD or POST.")
    # A form can send text/plain, and its parameters may name JSON.
    kind = Headers(scope=scope).get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        return _refuse(415, f"The content type is {kind or 'not given'}; expected application/json, which a form of another page cannot send.")
    return None


def _list(values: Iterable[str]) -> str:
    return " or ".join(values) or "not given"


def _refuse(status: int, sentence: str) -> PlainTextResponse:
    return PlainTextResponse(f"{sentence}\n", status_code=status)
