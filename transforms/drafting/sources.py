"""Sources as the draft maps them: a file's columns with their settings, what is added where nothing gives it, and sources read from others' files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pyarrow.compute as pc

from transforms.contracts import SOURCES
from transforms.drafting.kinds import Kind, common_start
from transforms.drafting.meanings import Fit
from transforms.drafting.roles import Role, best_fits, values_of
from transforms.drafting.settings import ColumnDraft, column_draft, constant
from transforms.drafting.words import concepts

_FACTS = ("shipments", "returns")


@dataclass
class SourceDraft:
    """One kind of file as one source, as the draft writes it."""

    source: str
    kind: Kind
    columns: dict[str, ColumnDraft]
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)

    @property
    def read(self) -> set[str]:
        """The file's columns that are used."""
        beside = self.settings.get("rows", {}).get("column"), self.settings.get("line_id")
        return {name for name in (*(column.column for column in self.columns.values()), *beside) if name}


def sources_of(roles: Sequence[Role], provider: str) -> list[SourceDraft]:
    """The sources of a provider: those that files are for, then those that can be read from files of other sources."""
    drafts = [_own(role) for role in roles]
    if all(draft.source != "returns" for draft in drafts):
        drafts += [lines for draft in list(drafts) if (lines := _credits(draft)) is not None]
    for source, derive in (
        ("stores", _listed),
        ("products", _listed),
        ("returns", _beside),
        ("demographics", _beside),
        ("weather_observed", _weather),
    ):
        if all(draft.source != source for draft in drafts):
            drafts += [made for role in roles if (made := derive(source, role, list(roles))) is not None][:1]
    if all(draft.source != "events" for draft in drafts):
        drafts += [made for role in roles if role.source in _FACTS for made in _flags(role)]
    only = _only_store(drafts)
    for draft in drafts:
        _complete(draft, provider, only)
        _grain(draft)
    _places(drafts)
    _widths(drafts)
    _products(drafts)
    order = list(SOURCES)
    return sorted(drafts, key=lambda draft: order.index(draft.source))


def _own(role: Role) -> SourceDraft:
    columns = {target: column_draft(role.source, target, role.kind.profiles[fit.column], role.kind, fit.reason) for target, fit in role.fits.items()}
    draft = SourceDraft(role.source, role.kind, _in_order(role.source, columns), {}, list(role.notes))
    if role.source in {"weather_observed", "weather_forecast"}:
        _one_temperature(draft)
    return draft


def _in_order(source: str, columns: dict[str, ColumnDraft]) -> dict[str, ColumnDraft]:
    return {name: columns[name] for name in SOURCES[source].names if name in columns}


def _listed(source: str, role: Role, roles: list[Role]) -> SourceDraft | None:
    """Stores or products as the deliveries name them: rows that say the same count once."""
    key = {"stores": "store_id", "products": "product_id"}[source]
    if role.source != "shipments" or (fit := role.fits.get(key)) is None:
        return None
    kept = {key: fit}
    for target, other in best_fits(source, role.kind, roles).items():
        one = {key: kept[key].column, target: other.column}
        if target != key and other.column not in {used.column for used in role.fits.values()} and _depends(role.kind, [one[key]], [one[target]]):
            kept[target] = other
    columns = {target: column_draft(source, target, role.kind.profiles[one.column], role.kind, one.reason) for target, one in kept.items()}
    note = f"No file lists the {source}: they are those that {role.kind.name} names."
    return SourceDraft(source, role.kind, _in_order(source, columns), {}, [note])


def _depends(kind: Kind, key: Sequence[str], others: Sequence[str]) -> bool:
    """Whether columns say the same wherever the key is the same."""
    return abs(kind.uniqueness([*key, *others]) - kind.uniqueness(key)) < 1e-12


def _beside(source: str, role: Role, roles: list[Role]) -> SourceDraft | None:
    """Returns in a column of the deliveries' file, demographics beside the stores."""
    if (source == "returns") is not (role.source == "shipments") or role.source not in {"shipments", "stores"}:
        return None
    found = best_fits(source, role.kind, roles)
    wanted = {"returns": ({"units_returned", "week"}, "RETURN"), "demographics": ({"zip", "population"}, "POPULATION")}[source]
    tells = found.get("units_returned" if source == "returns" else "population")
    if not wanted[0] <= found.keys() or tells is None or wanted[1] not in concepts(tells.column):
        return None
    if source == "demographics" and not _depends(role.kind, [found["zip"].column], [fit.column for fit in found.values()]):
        return None
    columns = {target: column_draft(source, target, role.kind.profiles[fit.column], role.kind, fit.reason) for target, fit in found.items()}
    return SourceDraft(source, role.kind, _in_order(source, columns), {}, [f"Read from the same files as {role.source}."])


def _weather(source: str, role: Role, roles: list[Role]) -> SourceDraft | None:
    """The weather in rows of other things: of each place and day, rows that say the same count once."""
    found = best_fits(source, role.kind, roles)
    measured = {name: fit for name, fit in found.items() if name in {"tmin_c", "tmax_c", "precip_mm"}}
    store, week = role.fits.get("store_id"), role.fits.get("week")
    if role.source not in _FACTS or not measured or week is None:
        return None
    day = Fit(week.column, 1.0, "the day of the delivery")
    places = [fit for fit in (found.get("place"), store) if fit is not None]
    columns = [fit.column for fit in measured.values()]
    place = next((fit for fit in places if _depends(role.kind, [fit.column, day.column], columns)), None)
    if place is None:
        return None
    chosen = {"place": place, "date": day, **measured}
    made = {target: column_draft(source, target, role.kind.profiles[fit.column], role.kind, fit.reason) for target, fit in chosen.items()}
    draft = SourceDraft(
        source, role.kind, _in_order(source, made), {}, [f"Read from the same files as {role.source}: a place for each {place.column}."]
    )
    _one_temperature(draft)
    return draft


def _one_temperature(draft: SourceDraft) -> None:
    """A mean temperature stands for both where a file knows no lowest and highest."""
    present = {name for name in ("tmin_c", "tmax_c") if name in draft.columns}
    if present:
        return
    for profile in draft.kind.profiles.values():
        words = concepts(profile.name)
        if "TEMPERATURE" in words and not words & {"RAIN", "LOW", "HIGH"} and profile.number is not None:
            reason = f"the one temperature of the day; {profile.number.lowest:g} to {profile.number.highest:g}"
            for target in ("tmin_c", "tmax_c"):
                draft.columns[target] = column_draft(draft.source, target, profile, draft.kind, reason)
            draft.columns["tmax_c"].questions = ["a file with one temperature a day gives it as lowest and highest: is that good enough?"]
            draft.columns = _in_order(draft.source, draft.columns)
            return


def _flags(role: Role) -> list[SourceDraft]:
    """Events from columns that say yes or no for each day: holidays, promotions."""
    made = []
    week = role.fits.get("week")
    for profile in role.kind.profiles.values() if week is not None else ():
        words = concepts(profile.name)
        if profile.flag is None or "OTHER_TIME" in words or not words & {"HOLIDAY", "PROMOTION"} or week is None:
            continue
        kind = "promotion" if "PROMOTION" in words else "observance" if "SCHOOL" in words else "public_holiday"
        day = column_draft("events", "start_date", role.kind.profiles[week.column], role.kind, "the day of the delivery")
        columns = {
            "event": ColumnDraft({"value": "school_holiday" if "SCHOOL" in words else kind}),
            "kind": ColumnDraft({"value": kind}),
            "start_date": day,
        }
        # Limited to a store or product only where that makes a difference.
        key = [week.column]
        for target in ("store_id", "product_id"):
            if (fit := role.fits.get(target)) is not None and not _depends(role.kind, key, [profile.name]):
                key.append(fit.column)
                columns[target] = ColumnDraft({"column": fit.column}, "the event is not the same for all")
        draft = SourceDraft("events", role.kind, _in_order("events", columns), {"rows": {"column": profile.name, "starting_with": profile.flag}})
        draft.notes.append(f"Days on which {profile.name} says {profile.flag}.")
        if kind == "promotion":
            draft.questions.append(f"promotions count as known for ever before ({profile.name} tells no announcement): were they planned ahead?")
        made.append(draft)
    return made


def _credits(draft: SourceDraft) -> SourceDraft | None:
    """Lines with negative units are credits: where the beginning of a text tells them apart they are read as returns, else it is asked."""
    units = draft.columns.get("units_shipped")
    profile = draft.kind.profiles.get(units.column or "") if units else None
    if units is None or profile is None or profile.number is None or profile.number.lowest >= 0:
        return None
    told = _prefix(draft.kind, profile.name)
    if told is not None:
        column, prefix = told
        mine, theirs = {"column": column, "not_starting_with": prefix}, {"column": column, "starting_with": prefix}
        draft.notes.append(f"Lines whose {column} begins with {prefix} have negative quantities: they are read as returns.")
    else:
        mine, theirs = ({"column": profile.name, "sign": sign} for sign in ("positive", "negative"))
        draft.questions.append(f"{profile.name} goes down to {profile.number.lowest:g}: negative quantities are taken as returns, is that right?")
    draft.settings["rows"] = mine
    columns = {name: ColumnDraft(dict(one.settings), one.reason) for name, one in draft.columns.items() if name in {"store_id", "product_id", "week"}}
    columns["units_returned"] = ColumnDraft({**units.settings, "negate": True}, "credits are negative quantities")
    week = draft.columns["week"]
    if week.settings.get("clean") == "week":
        settings = {key: value for key, value in week.settings.items() if key != "clean"}
        columns["known_at"] = ColumnDraft({**settings, "clean": "end_of_day"}, "a credit is known once its day is over")
    lines = SourceDraft("returns", draft.kind, _in_order("returns", columns), {"rows": theirs})
    lines.settings["net_to_last_delivery"] = True
    lines.notes.append("A credit names no delivery: it is netted to the latest one up to its own week.")
    return lines


def _prefix(kind: Kind, units: str) -> tuple[str, str] | None:
    """A column whose text begins, in all rows with negative units and in no others, with the same letters."""
    negative = pc.fill_null(pc.starts_with(kind.sample.table[units], "-"), fill_value=False)
    below, others = kind.sample.table.filter(negative), kind.sample.table.filter(pc.invert(negative))
    for name in kind.sample.names:
        texts = [value for value in pc.unique(below[name]).to_pylist() if value]
        prefix = common_start(texts).rstrip("0123456789") if texts else ""
        alone = name != units and prefix.strip() and below[name].null_count == 0
        if alone and not pc.any(pc.starts_with(others[name], prefix)).as_py():
            return name, prefix
    return None


def _only_store(drafts: Sequence[SourceDraft]) -> str:
    """The store that all is of where no column names one: the only one of the list, if there is one."""
    listed = {store for draft in drafts if draft.source == "stores" for store in _ids(draft, "store_id")}
    return next(iter(listed)) if len(listed) == 1 else "1"


def _complete(draft: SourceDraft, provider: str, only: str) -> None:
    """Give every required column a value that loads, and say that a person has to give the right one."""
    contract = SOURCES[draft.source]
    path = concepts(draft.kind.patterns[0])
    event = "promotion" if "PROMOTION" in path else "public_holiday" if "HOLIDAY" in path else "event"
    event = "promotion" if event == "event" and "product_id" in draft.columns else event
    column_names = ", ".join(name for name in draft.kind.sample.names if name not in draft.read)[:120] or "none"
    values: dict[str, tuple[str | float, str]] = {
        "region": (provider, "no column names a sales region, so that all stores are of one: write the column that does, if there is one"),
        "format": ("large", "no column tells large stores (supermarkets) from small ones (convenience): all count as large"),
        "case_pack": (1, "no column tells how many units a case holds: plans are not rounded to cases until this is filled"),
        "store_id": (only, "no column names the store: all rows count for one store"),
        "product_id": ("1", "no column names the product: all rows count for one product"),
        "place": ("everywhere", "no column names the place: one weather for all stores"),
        "event": (event, "no column names the event"),
        "kind": (event if event != "event" else "local", "public_holiday, observance, local or promotion?"),
        "valid_from": ("2000-01-01", "since which day have these figures been public? Until this is filled they count as known all the time"),
    }
    for column in contract.columns:
        if column.required and column.name not in contract.completed and column.name not in draft.columns:
            value, question = values.get(
                column.name, ("2000-01-01" if column.kind in {"date", "timestamp"} else 0, f"no column was found for it; there are: {column_names}")
            )
            draft.columns[column.name] = constant(value, question)
            if column.name == "kind" and event != "event":
                draft.columns[column.name].questions = []
                draft.columns[column.name].reason = "as the files' name says"
    draft.columns = _in_order(draft.source, draft.columns)


def _grain(draft: SourceDraft) -> None:
    """Whether rows of one key add up, and which column tells lines apart."""
    if draft.source not in _FACTS:
        return
    key = list(dict.fromkeys(column.column for name, column in draft.columns.items() if name in SOURCES[draft.source].key and column.column))
    by_day = any(column.settings.get("clean") == "week" for column in draft.columns.values())
    alone = draft.kind.uniqueness(key, within_files=True)
    shown = " and ".join(key)
    if by_day:
        draft.settings["duplicates"] = "sum"
        draft.notes.append(f"Days add up to weeks; {shown} tell {alone:.1%} of the rows apart.")
        _newest_week(draft)
        if "known_at" in draft.columns and draft.source == "shipments":
            draft.columns.pop("known_at")
    elif alone < 1:
        draft.settings["duplicates"] = "sum"
        draft.questions.append(f"{1 - alone:.1%} of the rows have the same {shown} as another one: taken as parts that add up, is that right?")
    else:
        draft.notes.append(f"{shown} tell all rows apart.")
    if "duplicates" in draft.settings and (line := _line(draft)) is not None:
        draft.settings["line_id"] = line
        draft.notes.append(f"{line} tells lines apart: one that comes twice counts once.")


def _newest_week(draft: SourceDraft) -> None:
    """Ask about days of a week that is not over."""
    style = draft.kind.profiles[draft.columns["week"].column or ""].date if draft.columns["week"].column else None
    if draft.source == "shipments" and style is not None and style.last is not None and len(style.weekdays) > 4 > style.last.weekday():
        monday = style.last - timedelta(days=style.last.weekday())
        draft.questions.append(
            f"the newest week, {monday}, ends on {style.last} and counts as it stands: leave its days out by 'rows' until it is over?"
        )


def _line(draft: SourceDraft) -> str | None:
    used = {column.column for column in draft.columns.values()}
    names = (name for name in draft.kind.sample.names if name not in used and "ID" in concepts(name) and draft.kind.profiles[name].filled == 1)
    return next((name for name in names if draft.kind.uniqueness([name]) >= 0.9999), None)


def _places(drafts: list[SourceDraft]) -> None:
    """Give stores the column whose values are the weather's places."""
    weather = [draft for draft in drafts if draft.source in {"weather_observed", "weather_forecast"}]
    for stores in [draft for draft in drafts if draft.source == "stores"] if weather else []:
        place = weather[0].columns["place"]
        if place.column is None:
            stores.columns["place"] = ColumnDraft({"value": place.settings["value"]}, "the one place of the weather")
        else:
            _place_column(stores, weather, place)
        stores.columns = _in_order("stores", stores.columns)


def _place_column(stores: SourceDraft, weather: list[SourceDraft], place: ColumnDraft) -> None:
    wanted = values_of(weather[0].kind, place.column or "")
    shares = []
    for name in stores.kind.sample.names:
        there = values_of(stores.kind, name)
        for clean, of_stores, of_weather in ((None, there, wanted), ("upper", {v.upper() for v in there}, {v.upper() for v in wanted})):
            shares.append((len(of_stores & of_weather) / max(len(of_stores), 1), clean is None, name, clean))
    share, _, name, clean = max(shares, key=lambda found: found[:2], default=(0.0, True, "", None))
    if share < 0.3:
        stores.columns.pop("place", None)
        stores.questions.append(
            f"no column holds the places of {weather[0].kind.name} (like {', '.join(sorted(wanted)[:3])}): stores have no weather until 'place' "
            "names one, or 'stations' gives the places' latitude and longitude"
        )
        return
    settings = {"column": name} | ({"clean": clean} if clean else {})
    stores.columns["place"] = ColumnDraft(settings, f"{share:.0%} of its values are places of {weather[0].kind.name}")
    for draft in weather if clean else []:
        draft.columns["place"].settings["clean"] = clean


def _widths(drafts: list[SourceDraft]) -> None:
    """Identifiers that have zeros in front in one file and none in another get them back."""
    for target in ("store_id", "product_id", "zip"):
        told = [(draft, draft.columns[target]) for draft in drafts if target in draft.columns and draft.columns[target].column]
        lengths = {}
        for draft, column in told:
            values = values_of(draft.kind, column.column or "")
            if values and all(value.isdigit() for value in values):
                lengths[id(column)] = ({len(value) for value in values}, any(value.startswith("0") and len(value) > 1 for value in values))
        padded = {max(widths) for widths, zeros in lengths.values() if zeros and len(widths) == 1}
        if len(padded) != 1:
            continue
        width = padded.pop()
        for _, column in told:
            if id(column) in lengths and lengths[id(column)][0] != {width} and max(lengths[id(column)][0]) <= width:
                column.settings["width"] = width
                column.reason += f"; {width} digits elsewhere: zeros in front come back"


def _products(drafts: list[SourceDraft]) -> None:
    """Say which stores and products the deliveries name that no list holds."""
    for target, source in (("store_id", "stores"), ("product_id", "products")):
        lists = [draft for draft in drafts if draft.source == source]
        listed = {value for draft in lists for value in _ids(draft, target)}
        for facts in [draft for draft in drafts if draft.source == "shipments" and lists and all(one.kind is not draft.kind for one in lists)]:
            named = _ids(facts, target)
            if unknown := sorted(named - listed):
                facts.questions.append(
                    f"{len(unknown):,} of {len(named):,} {source} are in no list, like {', '.join(unknown[:3])}: their rows go to quarantine"
                    + (
                        " unless 'unknown_products: accept' stands below the provider's name"
                        if source == "products"
                        else " until the list holds them"
                    )
                )


def _ids(draft: SourceDraft, target: str) -> set[str]:
    column = draft.columns.get(target)
    if column is None or column.column is None:
        return {str(column.settings["value"])} if column else set()
    width = column.settings.get("width", 0)
    return {value.zfill(width) for value in values_of(draft.kind, column.column)}
