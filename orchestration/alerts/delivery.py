"""Messages on their way: one server for one rule, by apprise. It asks nobody else, follows no redirection, and keeps nothing on disk.

No secret leaves this module: what is told of an address, and of what went wrong, is without who signs in and without tokens.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from orchestration.alerts.rules import PLAIN_SCHEMES, AlertRule
from transforms.errors import ConfigurationError
from transforms.printing import MOVING
from transforms.redaction import blotted, redacted

if TYPE_CHECKING:
    from apprise import Apprise

Urgency = Literal["info", "success", "warning", "failure"]
SECONDS = 20
"""So long a message may take, whatever a server does."""
_LONGEST = 300
_SCHEME = re.compile(r"[a-z0-9]{1,20}://", re.IGNORECASE)
_PARTS = re.compile(r"[/?&=@:,;#+]+")
_MAIL = ("mailto", "mailtos")
_AN_ADDRESS = "expected one address as apprise reads them, like mailtos://user:password@example.com?to=ops@example.com or slack://A/B/C"


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its title in a line, and its text, as plain text and as HTML for mails."""

    title: str
    text: str
    html: str
    urgency: Urgency = "info"


def address_of(rule: AlertRule, held: Callable[[str], str]) -> str:
    """The address of a rule, with its secrets.

    Raises
    ------
    ConfigurationError
        If the variable that the rule names is not set.
    """
    address = rule.to or held(rule.to_variable)
    if not address:
        raise ConfigurationError(
            f"Rule {rule.name}: {rule.to_variable} is not set. Set it to the address, or {rule.to_variable}_FILE to a file that holds it, for every "
            "process that sends: shelfcast ui, its daemon, shelfcast alerts."
        )
    return address


def shown(address: str) -> str:
    """What may be said of an address: its kind, and its server where that is no secret."""
    scheme = address.partition("://")[0].lower()
    if not _SCHEME.match(address):
        return "***"
    if scheme not in PLAIN_SCHEMES:
        return f"{scheme}://***"
    try:
        found = urlsplit(address)
        return f"{scheme}://{found.hostname or '***'}{f':{found.port}' if found.port else ''}"
    except ValueError:
        return f"{scheme}://***"


def deliver(address: str, message: Message) -> str:
    """Send a message; return why it was not taken, without any secret, and nothing where the server took it.

    A server may have taken a message of which it did not say so in time.
    """
    try:
        sender = _sender(address)
    except ConfigurationError as error:
        return str(error)
    mail = address.partition("://")[0].lower() in _MAIL
    result = sender.notify(
        body=message.html if mail else message.text,
        title=_one_line(message.title),
        notify_type=message.urgency,
        body_format="html" if mail else "text",
        timeout=SECONDS,
        log_level=logging.DEBUG,
    )
    if result:
        return ""
    said = [str(entry.message) for entry in result.logs() if entry.level in _LOUD or str(entry.message).startswith(_WHY)]
    told = without_secrets(" ".join(dict.fromkeys(map(_short, said))), address)[:_LONGEST]
    return f"{shown(address)} did not take it: {told or f'no answer within {SECONDS} s'}"


_LOUD, _WHY = {"WARNING", "ERROR", "CRITICAL"}, "Socket Exception"
"""Levels of its lines, and the beginning of those of DEBUG, that tell what went wrong; others quote the message."""
_BY_SYSTEM = re.compile(r"\[Errno -?\d+\] [^'\")]+")
_SILENT = logging.NullHandler()


def _short(line: str) -> str:
    """A line without the frames of errors around what the system said."""
    found = _BY_SYSTEM.search(line)
    return found[0] if found and line.startswith(_WHY) else line


def without_secrets(text: str, address: str) -> str:
    """A text that may quote an address, in a line, with *** for whatever of it signs somebody in or is a token."""
    rest = address.partition("://")[2] if _SCHEME.match(address) else address
    kept = urlsplit(address).hostname if address.partition("://")[0].lower() in PLAIN_SCHEMES and "[" not in address else None
    parts = {part for part in _PARTS.split(rest) if part and part != kept}
    secrets = sorted({*parts, *map(unquote, parts)} - _HARMLESS, key=len, reverse=True)
    return _one_line(blotted(redacted(text, address), secrets))


_HARMLESS = {"from", "name", "smtp", "mode", "format", "text", "html", "port", "verify", "reply", "localhost", "true", "false"}
"""Words of addresses that are words of sentences too."""


def _sender(address: str) -> "Apprise":
    import apprise  # noqa: PLC0415 - 0.25 s of imports, and its plugins as much again, which nobody pays who sends nothing

    asset = apprise.AppriseAsset(
        app_id="Shelfcast",
        app_desc="Shelfcast",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
        storage_mode="memory",
        secure_logging=True,
    )
    # Its lines, down to those that tell why, go into the result alone: they quote addresses, and Python prints what nobody handles.
    logger = logging.getLogger("apprise")
    logger.addHandler(_SILENT)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    try:
        service = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=False)
    except Exception as error:  # noqa: BLE001 - whatever a plugin thinks of an address, it is one that cannot be used
        raise ConfigurationError(f"{shown(address)}: {_AN_ADDRESS}; {without_secrets(str(error), address)[:_LONGEST]}") from None
    if service is None:
        raise ConfigurationError(f"{shown(address)}: {_AN_ADDRESS}, came one that it does not know.")
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    return sender


def _one_line(text: str) -> str:
    return " ".join(MOVING.sub(" ", text).split())
