"""Hyperparameters of the members, with the ranges in which tuning looks for better ones: the one place where both are declared.

The project file holds those that differ from the defaults here; every artifact holds all that it was trained with.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, field, fields, is_dataclass
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid")


@plain_dataclass(frozen=True, slots=True)
class Search:
    """Range in which tuning looks for a value, both ends included; `log` where orders of magnitude count."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, config=_STRICT)
class NetworkSettings:
    """The embedding network. It learns rows by heart soon, so few `epochs` at a high rate are as good as they are quick.

    `retrain` makes the network learn anew from all rows once the held-back weeks have been used, rather than learn from them for one short epoch:
    twice the time, worth it where few weeks are on record. `count` networks, each from a seed of its own, are averaged. `smoothing` is for
    continuous sizes: how far, in log size, what was seen speaks for its neighbours too (standard deviation; 0: not at all).
    """

    hidden: Annotated[int, Field(ge=4, le=1024), Search(48, 192, log=True)] = 96
    learning_rate: Annotated[float, Field(gt=0, lt=1), Search(1e-3, 2e-2, log=True)] = 6e-3
    weight_decay: Annotated[float, Field(ge=0, lt=1), Search(1e-3, 1e-1, log=True)] = 1e-2
    dropout: Annotated[float, Field(ge=0, lt=1), Search(0.0, 0.5)] = 0.3
    epochs: Annotated[int, Field(ge=1, le=100), Search(1, 8, log=True)] = 2
    retrain: bool = False
    count: Annotated[int, Field(ge=1, le=20)] = 1
    smoothing: Annotated[float, Field(ge=0, le=1)] = 0.0


@dataclass(frozen=True, config=_STRICT)
class BoostingSettings:
    """The boosted trees; how many of the `iterations` are kept is decided on the held-back weeks.

    `loss` is that of the log of the size, and `columns` the share of the columns that each split may choose from.
    """

    iterations: Annotated[int, Field(ge=1, le=2000)] = 150
    learning_rate: Annotated[float, Field(gt=0, le=1), Search(0.03, 0.2, log=True)] = 0.08
    leaves: Annotated[int, Field(ge=2, le=255), Search(8, 63, log=True)] = 24
    smallest_leaf: Annotated[int, Field(ge=1), Search(10, 100, log=True)] = 30
    l2: Annotated[float, Field(ge=0), Search(1e-2, 10, log=True)] = 1.0
    loss: Literal["squared", "absolute"] = "squared"
    columns: Annotated[float, Field(gt=0, le=1)] = 1.0


@dataclass(frozen=True, config=_STRICT)
class Settings:
    """Hyperparameters by member."""

    network: NetworkSettings = field(default_factory=NetworkSettings)
    boosting: BoostingSettings = field(default_factory=BoostingSettings)

    @property
    def version(self) -> str:
        """Hash of all values, eight digits: the same values have the same version."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]

    def changed(self) -> dict[str, dict[str, Any]]:
        """Values that differ from the defaults, by member: what a project file has to hold."""
        default = asdict(Settings())
        values = {
            member: {name: value for name, value in chosen.items() if value != default[member][name]} for member, chosen in asdict(self).items()
        }
        return {member: chosen for member, chosen in values.items() if chosen}

    def flat(self, members: tuple[str, ...]) -> dict[str, float | int]:
        """The values that tuning may change for these members, by dotted name."""
        return {name: getattr(getattr(self, name.split(".")[0]), name.split(".")[1]) for name, _, _ in search_space(members)}

    def with_values(self, values: Mapping[str, float | int]) -> "Settings":
        """These settings with values by dotted name (`network.hidden`) put in, validated."""
        chosen = asdict(self)
        for name, value in values.items():
            member, setting = name.split(".")
            chosen[member][setting] = value
        return Settings(**chosen)


def search_space(members: tuple[str, ...]) -> Iterator[tuple[str, type, Search]]:
    """Dotted name, type and range of each value that tuning may change, for the members given."""
    for member in fields(Settings):
        if member.name in members and is_dataclass(member.type):
            for name, hint in get_type_hints(member.type, include_extras=True).items():
                for search in (extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Search)):
                    yield f"{member.name}.{name}", hint.__origin__, search
