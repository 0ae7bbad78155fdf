"""The door of a team's UI: a proxy signs people in and says who asks; a file below the root says what they may do.

How people prove who they are is the proxy's business (deploy/). What comes past it has not its secret and is refused.
"""

import logging
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

from orchestration.people import Person, Role
from orchestration.settings import Settings, held_by
from orchestration.web.access import same
from transforms.errors import ConfigurationError
from transforms.lake.remote.working_copy import brought
from transforms.lake.tables import Lake
from transforms.yaml_files import read_model

ROLES = "roles.yaml"
SECRET = "SHELFCAST_PROXY_SECRET"  # noqa: S105 - the name of a variable
_SHORTEST = 32
_RANK: tuple[Role, ...] = ("viewer", "planner", "operator")
_LONGEST = 120
_LOG = logging.getLogger(__name__)


class Roles(BaseModel):
    """The file `roles.yaml` below the root. Who has several roles has the highest; who has none is refused."""

    model_config = ConfigDict(extra="forbid")

    users: dict[str, Role] = Field(default_factory=dict)
    groups: dict[str, Role] = Field(default_factory=dict)
    everyone: Role | None = None
    """Role of whoever the proxy signs in."""
    regions: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Regions whose plans a person, or the members of a group, may edit; who is named nowhere here may edit those of all."""

    def of(self, name: str, groups: Iterable[str]) -> Role | None:
        """The role of a person."""
        held = [self.everyone, self.users.get(name), *(self.groups.get(group) for group in groups)]
        return max((role for role in held if role is not None), key=_RANK.index, default=None)

    def regions_of(self, name: str, groups: Iterable[str]) -> tuple[str, ...] | None:
        """The regions that a person plans; None where all are."""
        named = [self.regions[who] for who in (name, *groups) if who in self.regions]
        return tuple(sorted({region for regions in named for region in regions})) if named else None


def read_roles(file: Path) -> Roles:
    """Read the file; raise `ConfigurationError` if it is not there, or not as expected."""
    if not file.is_file():
        raise ConfigurationError(_no_roles(str(file)))
    return read_model(file, Roles, "Roles file")


def _no_roles(file: str) -> str:
    return f"{file} is not there: it says who may do what, like 'users: {{ann: operator}}'. See SECURITY.md."


@dataclass(frozen=True)
class ProxyDoor:
    """The door behind a proxy that signs people in: it shows its secret and says in headers who asks."""

    address: str
    secret: str = field(repr=False)
    roles: Path
    is_current: Callable[[], bool] = lambda: True
    """Whether the file is what the lake holds, as far as anybody can tell: of a lake in a store it is a copy."""

    @property
    def origins(self) -> frozenset[str]:
        """The address under which people open the UI."""
        return frozenset({self.address})

    def admit(self, scope: Scope) -> Person | Response:
        """Admit whom the proxy names and the file gives a role. The file is read each time: a role that is taken away is gone."""
        headers = Headers(scope=scope)
        shown, names = headers.getlist("x-shelfcast-proxy"), headers.getlist("x-forwarded-user")
        if len(shown) != 1 or not same(shown[0], self.secret):
            return _refuse(401, f"This request did not come through the proxy that signs people in. Open {self.address}.")
        name = _text(names[0]) if len(names) == 1 else ""
        if not _is_name(name):
            return _refuse(
                401, f"The proxy does not say who asks: expected one header X-Forwarded-User with a name of up to {_LONGEST} printable characters."
            )
        if not self.is_current():
            return _refuse(503, f"The store that holds {self.roles.name} does not answer, and roles may have been taken away. Try again later.")
        groups = [group.strip() for value in headers.getlist("x-forwarded-groups") for group in _text(value).split(",")]
        try:
            roles = read_roles(self.roles)
            role = roles.of(name, groups)
        except ConfigurationError as error:
            # It may quote the file, and who has no role yet is not to read who has one.
            _LOG.error("%s refused: %s", name, error)
            return _refuse(503, f"{self.roles.name} is not there, or not as expected: ask an operator, who finds the reason in services.log.")
        if role is None:
            return _refuse(403, f"{name} has no role here. Ask an operator for one in {self.roles.name}.")
        return Person(name, role, roles.regions_of(name, groups))


def proxy_door(settings: Settings, lake: Lake, is_current: Callable[[], bool] = lambda: True) -> ProxyDoor | None:
    """The door behind the proxy of the settings; None where there is no proxy. `is_current` is the door's.

    Raises
    ------
    ConfigurationError
        If the address or the secret is not usable, or the roles are not readable.
    """
    address = settings.trusted_proxy.rstrip("/").lower()
    if not address:
        return None
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query or "@" in parts.netloc:
        raise ConfigurationError("SHELFCAST_TRUSTED_PROXY: expected the address under which people open the UI, like https://forecasts.example.com.")
    secret = held_by(SECRET)
    if len(secret) < _SHORTEST:
        raise ConfigurationError(
            f"{SECRET}: expected a secret of {_SHORTEST} characters or more that the proxy sends as X-Shelfcast-Proxy, came {len(secret)}. "
            f"Make one: openssl rand -hex 32. Keep it in a file that {SECRET}_FILE names."
        )
    roles = brought(lake, ROLES)
    if not roles.is_file():
        raise ConfigurationError(_no_roles(lake.address(ROLES)))
    read_roles(roles)
    return ProxyDoor(address, secret, roles, is_current)


def _text(header: str) -> str:
    """What a header says: proxies send UTF-8, of which the server's interface makes a character of each byte; empty where it is none."""
    try:
        return unicodedata.normalize("NFC", header.encode("latin-1").decode())
    except UnicodeDecodeError:
        return ""


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable() and text == text.strip()


def _refuse(status: int, sentence: str) -> Response:
    return PlainTextResponse(f"{sentence}\n", status_code=status, headers={"Cache-Control": "no-store"})
