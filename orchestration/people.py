"""Persons and their roles: who started a run or decided, as the machine or the team's sign-in says it and not as a form does."""

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transforms.errors import ConfigurationError

Role = Literal["viewer", "planner", "operator"]
"""A viewer reads; a planner starts and stops runs and backfills too; an operator decides on data, switches schedules and does all the rest."""

PERSON_TAG, ROLE_TAG = "shelfcast/person", "shelfcast/role"
"""Tags of a run that somebody started in the UI."""

PERSON_HEADER, ROLE_HEADER, REGIONS_HEADER = "x-shelfcast-person", "x-shelfcast-role", "x-shelfcast-regions"
"""Headers in which the front tells the pages who asks: the name quoted as in an address, regions likewise between commas; without it, all."""


@dataclass(frozen=True)
class Person:
    """Somebody who signed in."""

    name: str
    role: Role
    regions: tuple[str, ...] | None = None
    """Regions whose plans a planner may edit; None where they may edit those of all."""

    def may_plan(self, region: str) -> bool:
        """Whether this person may edit and approve plans of a region."""
        return self.role == "operator" or (self.role == "planner" and (self.regions is None or region in self.regions))

    @property
    def tags(self) -> dict[str, str]:
        """What stands on runs that this person starts."""
        return {PERSON_TAG: self.name, ROLE_TAG: self.role}


def login() -> str:
    """The name of the machine's user that this process belongs to, as the machine has it and not as a variable says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def token_files(root: Path) -> list[Path]:
    """The files with the tokens by which the machine's user signs in: that of the UI which runs, and those of UIs that were killed."""
    return sorted(root.glob("ui-*.token"))


def named_on_command_line(name: str) -> str:
    """The name that decides, with the machine's user who typed it: the login of a shared machine is not who decided, yet tells where it came from."""
    return f"{name} (login {login()})"


def decider(tags: Mapping[str, str]) -> str:
    """Who decides by a run: the person who started it in the UI, else the machine's user.

    Raises
    ------
    ConfigurationError
        If the person is no operator.
    """
    if PERSON_TAG not in tags:
        return f"login {login()}"
    if tags.get(ROLE_TAG) != "operator":
        raise ConfigurationError(
            f"{tags[PERSON_TAG]} is a {tags.get(ROLE_TAG)}: decisions are an operator's. Ask one, or for the role in roles.yaml."
        )
    return f"{tags[PERSON_TAG]} (signed in)"
