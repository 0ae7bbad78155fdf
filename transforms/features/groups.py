"""Which question each feature answers, told by its name: the groups in which a forecast is explained. A feature without a group is an error."""

import re
from collections.abc import Iterable
from typing import Literal, get_args

from transforms.errors import ConfigurationError

Group = Literal["level", "season", "weather", "price_and_events", "demographics", "returns"]
GROUPS: tuple[Group, ...] = get_args(Group)

RECENT_SIZES = "recent"
"""The last sizes of a series, which stand beside the named features in a frame."""

_PATTERNS: dict[Group, str] = {
    # What the series, its product and its store sold lately, when, and which series it is.
    "level": (
        r"recent|log_age|rate_.*(?<!last_year)|log_(mean|size)_(life|\d+)|log_last_\d+|log_recent.*|recent_.*|mode_share|(product|store)_.*"
        r"|log_waiting|phase|log_gap.*|gap_.*|horizon|level_.*|log_size_ml|log_case_pack|store|product|category|vendor"
    ),
    "season": r"(sin|cos)_(year|half)|log_size_last_year|rate_last_year|category_season|effect_season|week_of_year",
    "weather": r"tmin|tmax|log_precip|forecast_days|weather_.*|effect_weather",
    "price_and_events": r"log_price|(next_)?holiday_days|promotion_.*|(next_)?event|effect_events",
    "demographics": r"log_(population|income|median_rent|median_age)",
    "returns": r"return.*|log_return.*",
}


def groups_of(name: str) -> list[Group]:
    """Every group whose pattern a feature's name fits; exactly one for each feature that there is."""
    return [group for group, pattern in _PATTERNS.items() if re.fullmatch(pattern, name)]


def by_group(names: Iterable[str]) -> dict[str, Group]:
    """The group of each feature.

    Raises
    ------
    ConfigurationError
        If a feature fits no group, or several.
    """
    found = {name: groups_of(name) for name in names}
    if unclear := {name: groups for name, groups in found.items() if len(groups) != 1}:
        raise ConfigurationError(
            f"Features must belong to exactly one group of transforms.features.groups; these do not: {unclear}. Change a pattern."
        )
    return {name: groups[0] for name, groups in found.items()}
