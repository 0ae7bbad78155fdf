"""Kinds of features: each is one object that says what it is called, what it means and how it is made. All of them: `catalogue`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy.typing as npt

from transforms.features.origin import Origin
from transforms.features.target import Target
from transforms.panel.panel import Coded

Group = Literal["level", "season", "weather", "price_and_events", "demographics", "returns"]
GROUPS: tuple[Group, ...] = get_args(Group)
"""Questions that features answer: the groups in which a forecast is explained. No feature is of returns, which act through all others."""


Values = npt.NDArray[Any]
"""Numbers of any type: a frame holds them as float32."""


@dataclass(frozen=True)
class Feature:
    """Something that is known of a series at an origin, or of one of its target weeks.

    Attributes
    ----------
    name, unit, meaning
        Column of a frame, and what people who look at one are told about it.
    group
        The question that it answers, where forecasts are explained.
    """

    name: str
    unit: str
    group: Group
    meaning: str


@dataclass(frozen=True)
class OriginFeature(Feature):
    """A number of each series alive at an origin, shape (series,)."""

    of: Callable[[Origin], Values]


@dataclass(frozen=True)
class TargetFeature(Feature):
    """A number of each row of a target week, shape (rows,), or one for all of them."""

    of: Callable[[Target], Values | float]


@dataclass(frozen=True)
class Category(Feature):
    """A text of each row of a target week, coded, shape (rows,)."""

    of: Callable[[Target], Coded]


@dataclass(frozen=True)
class LastSize(Feature):
    """One of the last sizes of each series alive, shape (series,), which members look at beside the other features."""

    of: Callable[[Origin], Values]
