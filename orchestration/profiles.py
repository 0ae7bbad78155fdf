"""Profiles: environments such as dev and prod by name, each with a lake, a run history and rules of its own, in one file that people write.

Which profile a process uses, and what environment variables say beside it, is for `orchestration.settings`; what a profile changes of a lake's
project file is checked by `orchestration.project`.
"""

import re
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from transforms.errors import ConfigurationError
from transforms.redaction import redacted
from transforms.yaml_files import RuleBroken, read_model

FILE = "shelfcast.profiles.yaml"
FIELDS = ("state", "first_week", "quiet_seconds", "workers", "reports_url", "trusted_proxy", "tracking_uri", "leaderboard_data")
"""Settings of the environment that a profile may give; a variable of that name counts more."""
SQLITE = "sqlite"
Colour = Literal["blue", "teal", "green", "grey", "orange", "red", "purple"]
COLOURS: dict[Colour, str] = {
    "blue": "#1d5fa8",
    "teal": "#0b6e69",
    "green": "#2f6b2f",
    "grey": "#4a5560",
    "orange": "#a34a00",
    "red": "#a8201a",
    "purple": "#6b3fa0",
}
"""Each dark enough for white text (contrast of 5 and more)."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}", re.ASCII)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
_NOT_OF_A_PROFILE = ("provider", "profile")


class Automation(BaseModel):
    """Sensors and schedules that start by themselves, and when; switches in the UI count more."""

    model_config = ConfigDict(extra="forbid")

    starts: Literal["all", "none"] | tuple[str, ...] | None = None
    """Names, or all, or none; None leaves each as it is defined."""
    cron: dict[str, str] = Field(default_factory=dict)
    """Schedule -> when it ticks (five fields, UTC), instead of as it is defined."""


class Profile(BaseModel):
    """One environment."""

    model_config = ConfigDict(extra="forbid")

    root: str = Field(min_length=1)
    """Lake root: a folder, relative to the profiles file, or an object-store URI."""
    colour: Colour = "grey"
    """How the UI tells it from the others, beside its name."""
    run_storage: str = ""
    """Where the run history is: sqlite (files of the root), or the name of the variable that holds a database's address; empty: as
    SHELFCAST_DAGSTER_DATABASE says."""
    landing: str = ""
    """Profile whose landing files are read, and never written to; empty: the lake's own."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Port of its UI; None: as `--port` says."""
    automation: Automation = Automation()
    project: dict[str, Any] = Field(default_factory=dict)
    """Settings of the project file that are this environment's own, whatever the file says: epochs, members, promotion, gate."""

    state: str | None = None
    first_week: str | None = None
    quiet_seconds: float | None = Field(default=None, ge=0, le=3600)
    workers: int | None = Field(default=None, ge=1)
    reports_url: str | None = None
    trusted_proxy: str | None = None
    tracking_uri: str | None = Field(default=None, repr=False)
    leaderboard_data: str | None = None

    @field_validator("run_storage")
    @classmethod
    def _no_address(cls, value: str) -> str:
        if value and value != SQLITE and not _VARIABLE.fullmatch(value):
            raise ValueError("expected sqlite, or the name of a variable like PROD_DATABASE that holds the address: a password does not belong here")
        return value

    @field_validator("tracking_uri")
    @classmethod
    def _no_login(cls, value: str | None) -> str | None:
        if value and redacted(value, value) != value:
            raise ValueError("it holds a password or a token, which does not belong into a file: set SHELFCAST_TRACKING_URI instead")
        return value

    @field_validator("project")
    @classmethod
    def _own(cls, value: dict[str, Any]) -> dict[str, Any]:
        if taken := [name for name in _NOT_OF_A_PROFILE if name in value]:
            raise RuleBroken(f"{taken[0]} is the lake's own and stands in its shelfcast.yaml: remove it here", taken[0])
        return value

    @property
    def given(self) -> dict[str, Any]:
        """Settings of the environment that it gives, by the names of `orchestration.settings.Settings`."""
        return {name: value for name in FIELDS if (value := getattr(self, name)) is not None}


class Profiles(BaseModel):
    """Contents of the profiles file."""

    model_config = ConfigDict(extra="forbid")

    profiles: dict[str, Profile] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _nearest(cls, values: Any) -> Any:
        """Tell the name that was meant where a key is not known."""
        for name, profile in (values.get("profiles") or {}).items() if isinstance(values, dict) and isinstance(values.get("profiles"), dict) else ():
            for key in profile if isinstance(profile, dict) else ():
                if key not in Profile.model_fields:
                    raise RuleBroken(f"there is no such setting{nearest(str(key), Profile.model_fields)}", "profiles", name, key)
        return values

    @field_validator("profiles")
    @classmethod
    def _plain_names(cls, profiles: dict[str, Profile]) -> dict[str, Profile]:
        for name, profile in profiles.items():
            if not _NAME.fullmatch(name):
                raise RuleBroken("expected a plain name like dev or prod: small letters, digits, - and _, beginning with a letter", name)
            if profile.landing and profile.landing not in profiles:
                raise RuleBroken(f"there is no profile {profile.landing!r}{nearest(profile.landing, profiles)}", name, "landing")
            if profile.landing == name:
                raise RuleBroken("a profile reads its own landing anyway: leave it out", name, "landing")
            if profile.landing and profiles[profile.landing].landing:
                raise RuleBroken(f"{profile.landing} reads another profile's landing itself: name that one", name, "landing")
        return profiles


def nearest(name: str, known: Any) -> str:
    """Words that tell which of the known names may have been meant, and all of them where none is near."""
    close = get_close_matches(name, [*known], n=1)
    return f": did you mean {close[0]}?" if close else f"; expected one of {', '.join(known)}"


def read_profiles(file: Path) -> dict[str, Profile]:
    """Profiles by name, with roots that are folders as whole paths.

    Raises
    ------
    ConfigurationError
        If the file is not there or breaks the rules; names line and key.
    """
    try:
        return _read(file, file.stat().st_mtime_ns)
    except FileNotFoundError:
        raise ConfigurationError(f"{file} does not exist: expected a file with profiles. Name it by SHELFCAST_PROFILES, or unset that.") from None


@lru_cache(maxsize=8)
def _read(file: Path, written: int) -> dict[str, Profile]:  # noqa: ARG001 - a file that was written again is read again
    found = read_model(file, Profiles, "Profiles file").profiles
    return {name: profile.model_copy(update={"root": _whole(profile.root, file.parent)}) for name, profile in found.items()}


def _whole(root: str, folder: Path) -> str:
    return root.rstrip("/") if "://" in root else str((folder / Path(root).expanduser()).resolve())


def same_root(one: str, other: str) -> bool:
    """Whether two roots are one place."""
    return _place(one) == _place(other)


def _place(root: str) -> str:
    return root.rstrip("/") if "://" in root else str(Path(root).resolve())
