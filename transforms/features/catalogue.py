"""All features, and look-ups by name: a feature is added here or in one of the tuples that are listed here, and nowhere else."""

from collections import Counter
from collections.abc import Iterable

from transforms.errors import ConfigurationError
from transforms.features.ahead import AHEAD, CATEGORIES
from transforms.features.feature import Category, Feature, LastSize, OriginFeature, TargetFeature
from transforms.features.past import LAST_SIZES, PAST

FEATURES: tuple[Feature, ...] = (*PAST, *AHEAD, *CATEGORIES, *LAST_SIZES)


def origin_features() -> tuple[OriginFeature, ...]:
    """Numbers of a series at an origin: the first columns of a frame, in their order."""
    return tuple(feature for feature in FEATURES if isinstance(feature, OriginFeature))


def target_features() -> tuple[TargetFeature, ...]:
    """Numbers of a series in a target week: the columns after those."""
    return tuple(feature for feature in FEATURES if isinstance(feature, TargetFeature))


def categories() -> tuple[Category, ...]:
    """Texts of a row."""
    return tuple(feature for feature in FEATURES if isinstance(feature, Category))


def last_sizes() -> tuple[LastSize, ...]:
    """The last sizes of a series, newest first."""
    return tuple(feature for feature in FEATURES if isinstance(feature, LastSize))


def features_named(names: Iterable[str]) -> list[Feature]:
    """The features of these names, in their order.

    Raises
    ------
    ConfigurationError
        If there is none of a name, or several.
    """
    wanted = list(names)
    counts = Counter(feature.name for feature in FEATURES)
    if unclear := {name: counts[name] for name in wanted if counts[name] != 1}:
        raise ConfigurationError(
            f"Each column of a frame must be one feature of transforms.features.catalogue; these are as many: {unclear}. Add what is missing there."
        )
    by_name = {feature.name: feature for feature in FEATURES}
    return [by_name[name] for name in wanted]
