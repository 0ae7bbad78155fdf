"""What a page is given: the lake's reader, who asks, and how numbers are written for them. Made anew for each change of a page."""

from dataclasses import dataclass
from urllib.parse import unquote, urlencode

import streamlit as st

from dashboard.parts.numbers import Numbers
from dashboard.queries.orders.unsaved import Unsaved
from dashboard.queries.reader import Reader, reader_of
from orchestration.people import PERSON_HEADER, REGIONS_HEADER, ROLE_HEADER, Person, Role
from orchestration.settings import settings
from transforms.errors import AuditFailed
from transforms.lake.tables import Lake

_PAGE = "page"
_ROLES: dict[str, Role] = {"viewer": "viewer", "planner": "planner", "operator": "operator"}


@dataclass(frozen=True)
class View:
    """One person's view of a lake."""

    reader: Reader
    person: Person
    numbers: Numbers

    @property
    def lake(self) -> Lake:
        """The lake, to be written to by `orchestration.service`."""
        return self.reader.lake

    @property
    def unsaved(self) -> Unsaved:
        """What this person has entered and not saved yet."""
        return Unsaved(self.lake, self.person.name)

    def require_lake(self) -> None:
        """Raise `AuditFailed` if the lake's folder is gone: without its tables it would look like a new one."""
        if self.lake.is_local and not self.lake.path().is_dir():
            raise AuditFailed(f"{self.lake.root} is not there: the lake's folder was moved or removed, or the disk that holds it is not mounted.")

    @property
    def may_decide(self) -> bool:
        """Whether this person may decide on models and data."""
        return self.person.role == "operator"


def current() -> View:
    """The view of who asks now."""
    chosen = settings()
    return View(reader_of(Lake(chosen.root, chosen.storage_options)), _person(), Numbers(st.context.locale or "en-US"))


def address(page: str, **selection: str) -> str:
    """Address of a page with a selection, for links out of tables."""
    return f"/pages/{page}{'?' + urlencode(selection) if selection else ''}"


def on_this_page(name: str) -> str:
    """A name for what a page keeps while it is drawn again and again: another page's of the same name is another."""
    return f"{name}@{st.session_state.get(_PAGE, '')}"


def turn_to(page: str) -> None:
    """Say which page is drawn from now on."""
    st.session_state[_PAGE] = page


def _person() -> Person:
    """Who asks, as the front says. Nobody else reaches these pages; who comes without is a stranger who may read."""
    headers = st.context.headers
    name, role, regions = headers.get(PERSON_HEADER, ""), headers.get(ROLE_HEADER, ""), headers.get(REGIONS_HEADER)
    own = None if regions is None else tuple(unquote(region) for region in regions.split(",") if region)
    return Person(unquote(name) or "nobody", _ROLES.get(role, "viewer"), own)
