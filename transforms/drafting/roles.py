"""Sources that each kind of file gives: one that it is for, and others that can be read from it where no file of their own gives them."""

from dataclasses import dataclass, field

import pyarrow.compute as pc

from transforms.drafting.kinds import TELLING, Kind
from transforms.drafting.meanings import Fit, Key, Known, fits
from transforms.drafting.profiles import DateStyle
from transforms.drafting.words import concepts

_FACTS = ("shipments", "returns")
_HINTS: dict[str, dict[str, float]] = {
    "stores": {"STORE": 2, "CUSTOMER": 1, "MASTER": 0.3},
    "products": {"PRODUCT": 2, "MASTER": 0.3},
    "demographics": {"DEMOGRAPHICS": 2},
    "events": {"EVENT": 2, "HOLIDAY": 2, "PROMOTION": 2},
    "shipments": {"SHIPPED": 2, "SOLD": 1.5, "RETURN": -4},
    "returns": {"RETURN": 3},
    "weather_observed": {"WEATHER": 1, "OBSERVED": 1, "TEMPERATURE": 1, "FORECAST": -2},
    "weather_forecast": {"FORECAST": 2, "WEATHER": 0.5},
}
_ANCHORS: dict[str, tuple[tuple[str, ...], ...]] = {
    "stores": (("store_id",),),
    "products": (("product_id",),),
    "demographics": (("zip",), ("population", "income", "median_rent", "median_age")),
    "events": (("start_date",),),
    "shipments": (("store_id", "product_id"), ("week",), ("units_shipped",)),
    "returns": (("store_id", "product_id"), ("week",), ("units_returned",)),
    "weather_observed": (("date",), ("tmin_c", "tmax_c", "precip_mm")),
    "weather_forecast": (("issued_at",), ("target_date",), ("tmin_c", "tmax_c", "precip_mm", "outlook")),
}
"""Source -> groups of columns, of each of which a file of it has at least one."""


@dataclass
class Role:
    """A kind of file as one source: its fits, and how well it is one."""

    source: str
    kind: Kind
    fits: dict[str, Fit]
    score: float
    notes: list[str] = field(default_factory=list)


def roles_of(kinds: list[Kind]) -> tuple[list[Role], list[str]]:
    """The source that each kind is for, and sentences about kinds that are for none or say what another one says."""
    first = [role for kind in kinds if (role := _role(kind, {})) is not None]
    known = _known(first)
    roles = [role for kind in kinds if (role := _role(kind, known)) is not None]
    kept, remarks = _without_repeats(roles)
    used = {id(role.kind) for role in roles}
    for kind in kinds:
        if id(kind) not in used:
            remarks.append(f"{kind.name} is of no source that is known by its columns: {', '.join(kind.sample.names[:12])}")
    return kept, remarks


def best_fits(source: str, kind: Kind, roles: list[Role]) -> dict[str, Fit]:
    """What a kind of file would give as another source."""
    return fits(source, kind, _known(roles))


def _known(roles: list[Role]) -> Known:
    """The values by which other files refer to stores, products and places."""
    found: dict[str, list[Key]] = {"store_id": [], "product_id": [], "place": []}
    for role in roles:
        origins = {"stores": ("store_id",), "products": ("product_id",), "weather_observed": ("place",), "weather_forecast": ("place",)}
        for target in origins.get(role.source, ()):
            if (fit := role.fits.get(target)) is not None:
                found[target].append(Key(role.kind.name, fit.column, values_of(role.kind, fit.column)))
    return found


def values_of(kind: Kind, column: str) -> frozenset[str]:
    """The distinct values of a column in the sample."""
    return frozenset(value for value in pc.unique(kind.sample.table[column]).to_pylist() if value is not None)


def _role(kind: Kind, known: Known) -> Role | None:
    candidates = [role for source in _ANCHORS if (role := _candidate(source, kind, known)) is not None]
    if not candidates:
        return None
    facts = [role for role in candidates if role.source in _FACTS and {"store_id", "product_id"} <= role.fits.keys()]
    return max(facts or candidates, key=lambda role: role.score)


def _candidate(source: str, kind: Kind, known: Known) -> Role | None:
    """A kind as one source; None where it lacks what makes one."""
    # A file refers to others' stores and products, and not to its own.
    elsewhere = {target: [key for key in keys if key.origin != kind.name] for target, keys in known.items()}
    found = fits(source, kind, elsewhere)
    if any(not found.keys() & set(group) for group in _ANCHORS[source]):
        return None
    hints = [concepts(pattern) for pattern in kind.patterns[:1]]
    told = {concept for hint in hints for concept in hint}
    score = sum(fit.score for fit in found.values()) + sum(weight for concept, weight in _HINTS[source].items() if concept in told)
    if source == "returns" and "RETURN" not in concepts(found["units_returned"].column) | told:
        return None
    if source == "events" and "event" not in found and not told & {"EVENT", "HOLIDAY", "PROMOTION"}:
        return None
    if source in {"stores", "products"} and not _is_list(source, kind, found):
        return None
    if source in _FACTS:
        score += 2 if {"store_id", "product_id"} <= found.keys() else -1
    if source == "weather_forecast":
        score += 2
    anchors = {name for group in _ANCHORS[source] for name in group}
    # A name that another source's file holds as well says little.
    alone = told & TELLING or len(found.keys() & anchors) >= 2 or len(found) >= 3
    return Role(source, kind, found, score) if alone or len(kind.sample.names) <= 3 else None


def _is_list(source: str, kind: Kind, found: dict[str, Fit]) -> bool:
    """Whether each store or product stands in one row (or, of products, in one for each date)."""
    key = [found[name].column for name in ("store_id", "product_id", "valid_from") if name in found]
    return kind.uniqueness(key) >= 0.95 and ("product_id" if source == "stores" else "store_id") not in found


def _without_repeats(roles: list[Role]) -> tuple[list[Role], list[str]]:
    """The roles without those that say of one source what another one says too, with a sentence for each of them."""
    kept: list[Role] = []
    remarks = []
    for role in sorted(roles, key=lambda role: -role.kind.sample.table.num_rows if role.source in _FACTS else -role.score):
        same = next((other for other in kept if other.source == role.source and _repeats(role, other)), None)
        if same is None:
            kept.append(role)
        else:
            remarks.append(
                f"QUESTION: {role.kind.name} looks like {role.source} too, of the same {_about(role)} as {same.kind.name}, which is taken: is that "
                "right?"
            )
    return [role for role in roles if role in kept], remarks


def _about(role: Role) -> str:
    return {"stores": "stores", "products": "products", "demographics": "postal codes"}.get(role.source, "days")


def _repeats(role: Role, other: Role) -> bool:
    """Whether two kinds say something about the same: the same keys, and days that overlap."""
    if role.source == "events":
        return False
    for target in ("store_id", "product_id", "place", "zip"):
        if target in role.fits and target in other.fits:
            mine, theirs = values_of(role.kind, role.fits[target].column), values_of(other.kind, other.fits[target].column)
            if len(mine & theirs) < 0.5 * min(len(mine), len(theirs)):
                return False
    for target in ("week", "date", "issued_at"):
        if target in role.fits and target in other.fits:
            mine_days, theirs_days = role.kind.profiles[role.fits[target].column].date, other.kind.profiles[other.fits[target].column].date
            if mine_days is not None and theirs_days is not None and not _overlap(mine_days, theirs_days):
                return False
    return True


def _overlap(one: DateStyle, other: DateStyle) -> bool:
    """Whether more than half of the shorter of two spans lies in the other one."""
    if one.first is None or one.last is None or other.first is None or other.last is None:
        return True
    shared = (min(one.last, other.last) - max(one.first, other.first)).days + 1
    return shared > 0.5 * (min(one.last - one.first, other.last - other.first).days + 1)
