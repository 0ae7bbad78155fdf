"""Addresses as they may be printed and put on record: with their server, without their passwords.

What goes into the run history goes into every backup of it.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://([^@/?#\s]*@)?[^@\s]+")
_SHORTEST = 4
"""Texts of fewer characters are blotted out within the address alone: elsewhere they are parts of words."""


def has_plain_parts(address: str) -> bool:
    """Whether the parts of an address are where they belong, so that no library quotes a piece of the password as a host or a port.

    They are not where a password holds @, /, ? or # as they are: in an address they are written %40, %2F, %3F and %23.
    """
    try:
        return _ADDRESS.fullmatch(address) is not None and (urlsplit(address).port or 1) > 0
    except ValueError:
        return False


def redacted(text: str, address: str) -> str:
    """A text that may quote an address, with *** for who signs in there and for the address's parameters, in any form in which they stand in it."""
    _, _, place = address.partition("://")
    if place and not has_plain_parts(address):
        text = text.replace(place, "***")
    place, _, parameters = place.partition("?")
    login, _, _ = place.rpartition("@")
    for part in filter(None, (f"{login}@" if login else "", f"?{parameters}" if parameters else "")):
        text = text.replace(part, f"{part[0]}***" if part[0] == "?" else "***@")
    password = login.partition(":")[2] or login
    values = [pair.partition("=")[2] for pair in parameters.split("&")]
    return blotted(text, (password, unquote(password), *values, *map(unquote, values)))


def blotted(text: str, secrets: Iterable[str]) -> str:
    """A text with *** in place of each secret."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "***")
    return text
