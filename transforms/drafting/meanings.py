"""Scores of how well a file's columns fit the columns of a contract: by the words of their names, by their values, by other files' values.

Scores are plain sums that can be told in a sentence; there is no model behind them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transforms.contracts import SOURCES, Column
from transforms.drafting.kinds import Kind
from transforms.drafting.profiles import Profile
from transforms.drafting.words import concepts

LEAST = 0.4
"""Score from which a column is mapped."""

_PLACES = ("place weather", "region weather", "place", "zip", "region", "store id", "store")
_UNITS_AVOID = "price cost money return case other_time mean id date week known margin temperature rain name"

MEANINGS: dict[str, dict[str, tuple[tuple[str, ...], str]]] = {
    "stores": {
        "store_id": (
            ("store id", "store", "customer id", "place id", "customer", "id", "store name"),
            "format region zip product date mean latitude",
        ),
        "region": (("region",), "weather id place zip name"),
        "name": (("store name", "customer name", "name", "vendor"), "region format place product id"),
        "format": (("store format", "format size", "format", "size"), "id product"),
        "zip": (("zip",), ""),
        "place": (("place weather", "region weather", "weather", "place"), "id distance temperature store"),
        "place_km": (("distance",), ""),
        "latitude": (("latitude",), ""),
        "longitude": (("longitude",), ""),
        "closed_on": (("closed date", "closed"), "known"),
        "closing_known_at": (("closed known",), ""),
    },
    "products": {
        "product_id": (("product id", "product", "vendor id", "id", "vendor"), "price size store date category name pack case"),
        "valid_from": (("from date", "from", "date from"), "until"),
        "name": (("product name", "name"), "category vendor id"),
        "category": (("category", "product format"), ""),
        "vendor": (("vendor",), "id"),
        "size_ml": (("size", "qty size"), "pack case price"),
        "case_pack": (("case pack", "case qty", "case size", "pack qty", "pack size", "pack", "case"), "price cost margin return"),
        "price": (("product price", "price"), "cost return margin"),
        "margin": (("margin",), ""),
        "return_cost": (("return cost",), ""),
        "delisted_on": (("delisted date", "delisted"), "known"),
        "delisting_known_at": (("delisted known",), ""),
    },
    "demographics": {
        "zip": (("zip",), ""),
        "valid_from": (("published date", "published", "from date", "from", "date"), ""),
        "population": (("population",), "age income"),
        "income": (("income",), ""),
        "median_rent": (("rent",), ""),
        "median_age": (("age",), ""),
    },
    "events": {
        "event": (("event name", "holiday name", "promotion name", "event", "holiday", "promotion", "name"), "date format product"),
        "kind": (("event format", "format"), ""),
        "start_date": (("date from", "from", "event date", "holiday date", "date"), "until known"),
        "end_date": (("date until", "until"), ""),
        "region": (("region", "state"), ""),
        "store_id": (("store id", "store"), "name"),
        "product_id": (("product id", "product"), "name"),
        "known_at": (("known date", "known"), ""),
    },
    "shipments": {
        "store_id": (("store id", "store", "customer id", "customer"), "name region format place"),
        "product_id": (("product id", "product", "vendor"), "name category price"),
        "week": (("shipped week", "shipped date", "sold date", "week from", "week date", "week until", "date", "week", "time"), "known return"),
        "units_shipped": (
            ("qty shipped", "qty sold", "qty", "shipped", "sold", "case qty shipped", "case shipped", "case qty", "case"),
            _UNITS_AVOID.replace("case ", ""),
        ),
        "known_at": (("known time", "known date", "known"), ""),
    },
    "returns": {
        "store_id": (("store id", "store", "customer id", "customer"), "name region format place"),
        "product_id": (("product id", "product", "vendor"), "name category price"),
        "week": (
            ("shipped week", "shipped date", "return week", "return date", "week from", "week date", "week until", "week", "date", "time"),
            "known",
        ),
        "units_returned": (
            ("qty return", "return", "case qty return", "qty", "case return", "case qty"),
            "price cost money date week known id other_time",
        ),
        "known_at": (("known time return", "known time", "known date", "known"), ""),
    },
    "weather_observed": {
        "place": (_PLACES, "temperature rain date name"),
        "date": (("date observed", "date", "time"), ""),
        "tmin_c": (("temperature low", "low"), "rain"),
        "tmax_c": (("temperature high", "high"), "rain"),
        "precip_mm": (("rain",), ""),
    },
    "weather_forecast": {
        "place": (_PLACES, "temperature rain date name"),
        "issued_at": (("issued time", "issued date", "issued", "forecast time", "forecast date"), "target until low high rain"),
        "target_date": (("target date", "target", "until date", "until", "date", "from date", "from"), "low high rain issued"),
        "tmin_c": (("temperature low", "low"), "rain"),
        "tmax_c": (("temperature high", "high"), "rain"),
        "precip_mm": (("rain",), ""),
        "outlook": (("outlook", "weather name", "weather"), "date region place"),
    },
}
"""Source -> column -> concepts that its names hold, the best first, and concepts that speak against it."""


_SMALL = frozenset(str(number) for number in range(100))
_UNNAMED = re.compile(r"column\d+")


@dataclass(frozen=True)
class Fit:
    """How well a column of a file fits one of a contract, and why."""

    column: str
    """The file's column."""
    score: float
    reason: str


@dataclass(frozen=True)
class Key:
    """A column by whose values other files are referred to."""

    origin: str
    column: str
    values: frozenset[str]


Known = Mapping[str, Sequence[Key]]
"""`store_id`, `product_id`, `place`, `zip` -> the columns of other files that hold them."""


def fits(source: str, kind: Kind, known: Known | None = None) -> dict[str, Fit]:
    """The best columns of a kind for a source's contract, each used once; contract's column -> fit.

    Parameters
    ----------
    known
        A column that holds the values of another file's key is one, whatever its name.
    """
    contract, found = SOURCES[source], list[tuple[float, int, str, Fit]]()
    for rank, (target, (names, against)) in enumerate(MEANINGS[source].items()):
        for position, profile in enumerate(kind.profiles.values()):
            if (fit := _fit(contract[target], names, against, profile, known or {})) is not None:
                found.append((-fit.score, rank * 1000 + position, target, fit))
    chosen: dict[str, Fit] = {}
    used: set[str] = set()
    for _, _, target, fit in sorted(found):
        if target not in chosen and fit.column not in used:
            chosen[target] = fit
            used.add(fit.column)
    return chosen


def _fit(column: Column, names: tuple[str, ...], against: str, profile: Profile, known: Known) -> Fit | None:
    shape, problem = _shape(column, profile)
    if shape == 0.0:
        return None
    score, reason = _by_name(names, against, profile.name)
    beside = profile.name.startswith("{")
    if beside or _UNNAMED.fullmatch(profile.name):
        score, reason = _by_values(column, profile)
    for key in known.get(column.name, ()) if profile.values else ():
        share = sum(value in key.values for value in profile.values) / len(profile.values)
        named_alike = profile.name.lower() == key.column.lower()
        # Small numbers are among any ids.
        alone = not any(value.isdigit() for value in profile.values) or (len(profile.values) >= 3 and not set(profile.values) <= _SMALL)
        telling = score > 0 or named_alike or beside or alone
        if share >= 0.6 and telling:
            alike = f", where it is called {key.column} too" if named_alike and not score else ""
            reason = f"{reason}{', and ' if reason else ''}{share:.0%} of its values are those of {key.origin}{alike}"
            score = max(score, 0.45) + 0.3 * share
        elif share < 0.1 and len(key.values) >= 3:
            score *= 0.7
    if score * shape < LEAST:
        return None
    shown = f"{profile.distinct:,} values like {profile.examples}" if column.kind == "text" else _range(profile)
    return Fit(profile.name, score * shape, "; ".join(part for part in (reason, shown, problem) if part))


def _by_values(column: Column, profile: Profile) -> tuple[float, str]:
    """Score of a column without a name, or of what the files' names tell, by what its values alone can be."""
    if profile.name.startswith("{"):
        told = profile.date is not None if column.name in {"week", "date"} else profile.date is None and profile.number is None
        fits = column.required and column.name in {"week", "date", "region", "place"} and told
        return (0.42, "the files' names tell it") if fits else (0.0, "")
    if profile.date is not None and column.name in {"week", "date", "start_date"}:
        return 0.45, "the column has no name, and its values are dates"
    units = profile.number is not None and profile.date is None and column.unit == "units" and column.name != "case_pack"
    return (0.42, "the column has no name, and its values are numbers") if units else (0.0, "")


def _by_name(names: tuple[str, ...], against: str, name: str) -> tuple[float, str]:
    """Score of a column's name, and the concepts that it was found by."""
    present = {concept.lower() for concept in concepts(name)}
    if not present or present & set(against.split()):
        return 0.0, ""
    for rank, wanted in enumerate(names):
        needed = set(wanted.split())
        if needed <= present:
            # What else the name says makes it less certain.
            extra = len(present - needed)
            return max(1.0 - 0.06 * rank - 0.08 * extra, 0.45), f"its name says {' and '.join(sorted(needed))}"
    return 0.0, ""


def _shape(column: Column, profile: Profile) -> tuple[float, str]:
    """How far a column's values can be what the contract wants, and what speaks against some of them."""
    if not profile.values:
        return (0.0 if column.required else 0.5), "it is empty in the rows that were looked at"
    if column.kind in {"date", "timestamp"}:
        return (1.0 if profile.date else 0.0), ""
    return (_measure(column, profile) if column.kind in {"integer", "number"} else _text(column, profile)), ""


def _measure(column: Column, profile: Profile) -> float:
    """How far a column's values can be numbers of the contract's kind and range."""
    if profile.number is None:
        return 0.0
    if column.kind == "integer" and profile.number.fractions > 0.2 * len(profile.values) and not profile.number.ambiguous:
        return 0.6
    within = (column.minimum is None or profile.number.highest >= column.minimum) and (
        column.maximum is None or profile.number.lowest <= column.maximum
    )
    return 1.0 if within else 0.5


def _text(column: Column, profile: Profile) -> float:
    """How far a column's values can be identifiers or names: no dates, and seldom fractions."""
    is_id = column.name in {"store_id", "product_id", "zip"}
    if profile.date is not None and profile.date.date_format not in {"%Y%m%d", "serial", "iso_week"}:
        return 0.0
    if profile.number is not None and not profile.number.whole:
        return 0.3 if is_id else 0.2
    return 1.0 if profile.number is None or is_id or column.name in {"place", "region", "format"} else 0.5


def _range(profile: Profile) -> str:
    if profile.date is not None:
        return f"{profile.date.first} to {profile.date.last}"
    if profile.number is not None:
        return f"{profile.number.lowest:g} to {profile.number.highest:g}"
    return ""
