"""The receiver of OpenLineage events: its address and key from the environment, and how an event is posted there."""

from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orchestration.settings import held_by
from orchestration.telemetry.outbox import Emit, Refused, Unreachable
from transforms.errors import ConfigurationError
from transforms.redaction import blotted, has_plain_parts, redacted

if TYPE_CHECKING:
    from requests import RequestException

ADDRESS, KEY = "SHELFCAST_OPENLINEAGE_URL", "SHELFCAST_OPENLINEAGE_KEY"
_ENDPOINT = "api/v1/lineage"
_SECONDS = 5.0
_EXCERPT = 200
_NOT_NOW = frozenset({401, 403, 404, 407, 408, 425, 429})
"""Answers below 500 that are about the address, the key or the moment; all others are about the event."""


def address() -> str:
    """Where events are sent; empty where they are not.

    Raises
    ------
    ConfigurationError
        If the address is none of HTTP, or the client is not installed.
    """
    found = held_by(ADDRESS)
    if not found:
        return ""
    if urlsplit(found).scheme not in {"http", "https"} or not has_plain_parts(found):
        raise ConfigurationError(
            f"{ADDRESS} is {redacted(found, found)}; expected the address of an OpenLineage receiver, like https://lineage.example.com:5000. "
            "In user and password write @ as %40, / as %2F, ? as %3F and # as %23."
        )
    if find_spec("openlineage") is None:
        raise ConfigurationError(f"{ADDRESS} is set, and the extra for it is missing: pip install 'shelfcast[openlineage]', or unset it.")
    return found


@lru_cache(maxsize=4)
def emitter(at: str, key: str) -> Emit:
    """Return what posts an event to an address: to its path where it has one, else to the client's own."""
    from openlineage.client.transport.http import HttpConfig, HttpTransport, create_token_provider  # noqa: PLC0415 - an extra; 0.3 s
    from requests import RequestException, Session  # noqa: PLC0415 - comes with it

    session = Session()
    # The page to which a sign-in redirects says 200 to anything.
    session.max_redirects = 0
    plain = urlsplit(at).path in {"", "/"}
    # Not the client itself, which takes more settings from variables and files of its own. Whatever is not taken now is tried again later.
    config = HttpConfig(
        url=at,
        endpoint=_ENDPOINT if plain else "",
        timeout=_SECONDS,
        auth=create_token_provider({"type": "api_key", "apiKey": key} if key else {}),
        session=session,
        retry={"total": 0},
    )
    transport = HttpTransport(config)

    def emit(event: dict[str, Any]) -> None:
        try:
            transport.emit(event)  # type: ignore[arg-type]  # JSON, of which it makes JSON
        except RequestException as error:
            raise _trouble(error, at, key) from None

    return emit


def _trouble(error: "RequestException", at: str, key: str) -> Refused | Unreachable:
    """Tell in a sentence what became of an event, with what the receiver said and without what it was asked with."""
    place = redacted(at, at)
    if error.response is None:
        return Unreachable(f"The OpenLineage receiver at {place} cannot be reached ({type(error).__name__}).")
    status = error.response.status_code
    said = blotted(redacted(" ".join(error.response.text.split())[:_EXCERPT], at), [key])
    answer = f"answered {status}{f': {said}' if said else ''}"
    if 400 <= status < 500 and status not in _NOT_NOW:
        return Refused(f"The OpenLineage receiver refused an event: it {answer}.")
    return Unreachable(f"The OpenLineage receiver at {place} does not take events now: it {answer}.")


def key() -> str:
    """The receiver's key; empty where it asks for none."""
    return held_by(KEY)
