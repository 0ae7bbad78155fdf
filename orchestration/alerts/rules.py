"""The rules of the project file: who is told of which alerts, at which address, and from when on something counts as missed.

An address with a password is a secret: it comes from a variable that the rule names, or from the file that `<variable>_FILE` names.
"""

import re
from typing import Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from transforms.calendar import Region
from transforms.contracts.bronze import SHIPMENTS
from transforms.contracts.operations import ALERT_KINDS, SEVERITIES
from transforms.errors import InvalidKey

Persona = Literal["data scientist", "data engineer", "operations", "stakeholder", "planner"]
PLAIN_SCHEMES = ("mailto", "mailtos", "json", "jsons", "xml", "xmls", "form", "forms")
"""Kinds of addresses that are no secret by themselves. Those of chat services are: who has one may write there."""
_PLAIN_PARAMETERS = {"to", "from", "cc", "bcc", "name", "smtp", "mode", "format", "verify", "port", "cto", "rto", "reply"}
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_VARIABLE = re.compile(r"SHELFCAST_ALERTS_[A-Z0-9_]+")
_PERSONAS = Persona.__args__  # type: ignore[attr-defined]


class AlertRule(BaseModel):
    """Who is told, and of what."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str
    """What the record and commands call it; another name is another rule, which is told of everything anew."""
    to: str = ""
    """Address without a secret, like mailto://mail.example.com:25?from=shelfcast@example.com&to=ops@example.com."""
    to_variable: str = ""
    """Variable SHELFCAST_ALERTS_... that holds the address (or its file, as `<variable>_FILE`), where it holds a password or token."""
    kinds: tuple[str, ...] | None = None
    """Kinds of alerts that are told: all, also those that come to be, where none are named; [] for a rule that gets the weekly summary alone."""
    regions: tuple[str, ...] = ()
    """Regions that it is told of, and of what is no region's; none for all."""
    at_least: Literal["info", "warning", "critical"] = "info"
    """How urgent an alert has to be."""
    remind_after_days: float = Field(default=0, ge=0, le=365)
    """Days after which an alert that is open still is told again; 0 for never."""
    weekly_summary: Persona | None = None
    """Reader of the weekly summary, which is sent once the week's cycle is done; None for no summary."""

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("expected a name of small letters, digits, _ and -, that begins with a letter, like operations")
        return name

    @field_validator("to")
    @classmethod
    def _without_secret(cls, to: str) -> str:
        instead = "put the address into a variable, and name that: to_variable: SHELFCAST_ALERTS_OPS"
        try:
            address = urlsplit(to)
            known = {name for name, _ in parse_qsl(address.query, keep_blank_values=True)} <= _PLAIN_PARAMETERS
            login, host = address.netloc.rpartition("@")[0], address.hostname
            _ = address.port
        except ValueError:
            raise ValueError("expected an address like mailto://mail.example.com:25?to=ops@example.com, came one that cannot be read") from None
        if to and address.scheme not in PLAIN_SCHEMES:
            raise ValueError(f"expected an address that begins with one of {', '.join(PLAIN_SCHEMES)}; every other may hold a secret: {instead}")
        if to and (":" in login or not known or address.fragment):
            raise ValueError(f"expected an address without a password or token, since this file goes into backups: {instead}")
        if to and not host:
            raise ValueError("expected a server in the address, like mailto://mail.example.com:25?to=ops@example.com, came none")
        return to

    @field_validator("to_variable")
    @classmethod
    def _own_variable(cls, variable: str) -> str:
        if variable and not _VARIABLE.fullmatch(variable):
            raise ValueError("expected the name of a variable that begins with SHELFCAST_ALERTS_, in capitals, like SHELFCAST_ALERTS_OPS")
        return variable

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, kinds: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if unknown := [kind for kind in kinds or () if kind not in ALERT_KINDS]:
            raise ValueError(f"expected some of {', '.join(ALERT_KINDS)}, came {', '.join(unknown)}")
        return kinds

    @field_validator("regions")
    @classmethod
    def _region_keys(cls, regions: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(str(Region(name)) for name in regions)
        except InvalidKey as error:
            raise ValueError(str(error)) from error

    @field_validator("weekly_summary", mode="before")
    @classmethod
    def _known_persona(cls, persona: object) -> object:
        if persona is not None and persona not in _PERSONAS:
            raise ValueError(f"expected one of {', '.join(_PERSONAS)}, came {persona}")
        return persona

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if bool(self.to) is bool(self.to_variable):
            raise ValueError("expected an address, by 'to' or by 'to_variable', and not both")
        return self

    def wants(self, kind: str, severity: str) -> bool:
        """Whether it is told of alerts of a kind."""
        return (self.kinds is None or kind in self.kinds) and SEVERITIES.index(severity) >= SEVERITIES.index(self.at_least)


class Expected(BaseModel):
    """From when on something counts as missed, and drift as dear."""

    model_config = ConfigDict(extra="forbid")

    forecast_hours: float = Field(default=48, gt=0)
    """Hours after a week's deliveries landed by which it is forecast, and by which the files of all regions have come."""
    new_week_days: float = Field(default=SHIPMENTS.fresh_for or 10, gt=0)
    """Days after a week landed by which the next one has."""
    drift_usd: float = Field(default=0, ge=0)
    """USD that a drifted week has to have cost more than the weeks before it."""


def distinct(rules: tuple[AlertRule, ...]) -> tuple[AlertRule, ...]:
    """The rules; raise `ValueError` where two have one name: what was told to one would count for the other."""
    names = [rule.name for rule in rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"expected each rule under a name of its own, came {', '.join(twice)} twice")
    return rules
