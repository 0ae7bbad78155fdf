"""Sort mapped rows into those that follow their contract and those that break it, each with rule, row, value, what was expected and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb

from transforms.adapters.expressions import IDENTIFIERS
from transforms.adapters.formats.headers import ROW
from transforms.adapters.moments import YEARS
from transforms.calendar import ALL_REGIONS
from transforms.contracts import Column, Source
from transforms.lake.database import literal, quoted

_EXPECTED = {
    "text": "an identifier with all its digits",
    "part": "a text with the part that the provider YAML names",
    "region": "a region's name",
    "place": "a place",
    "integer": "a whole number",
    "number": "a number",
    "date": "a date",
    "timestamp": "a date and time",
    "flag": "true or false",
}
"""What a value of a column, or of its kind, has to be."""
_SAY_HOW = "Correct the value, or say in the provider YAML how it is written (date_format, decimal, grouping, unit)."
_UNREADABLE = {
    "text": "Write it as text with all its digits, as it is in the other files; a spreadsheet's #N/A is none.",
    "region": "Write it with Latin letters, or map it to a key like north_texas in the provider YAML, under 'regions'.",
    "place": "Write it as the stores' file does, or map it in the provider YAML, under 'map'.",
}
"""What to do about a value that cannot be read, where it is not about how it is written."""
_FRACTION = (
    "Correct the value, or say in the provider YAML how it is written (decimal, unit): goods that are sold by weight count in grams by "
    "'unit: kilogram', 'pound' or 'ounce'."
)
_UNITS = {"degC": "unit: fahrenheit, tenth or tenth_fahrenheit", "mm": "unit: inch, tenth or hundredth_inch"}
"""Units of measurements -> those that others use."""
_KNOWN_AFTER = {"returns": ("week", 4), "weather_observed": ("date", 1)}
"""Source of things that happened -> the column that dates them, and by how many days other time zones and weeks of other days may put it off."""
_PUT_OFF = 8
"""Days after a file came by which the end of a week that is not over may lie."""
_FIRST_ON_EARTH = 14
"""Hours by which the first clocks on Earth (Line Islands) are ahead of UTC."""
EARLIEST = "1980-01-01"
"""A delivery or an observation before this day is a typing error."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition that marks a row as bad, the column to show, and what to tell."""

    column: str
    broken: str
    expected: str
    advice: str
    empties: bool = False
    """True where the row is taken in without the value, rather than left aside with it."""

    @property
    def name(self) -> str:
        """How the rule is called in quarantine."""
        return f"{self.column}: {self.expected}"


def rules_for(
    contract: Source, mapped: set[str], can_fail: set[str], accept_unknown_products: bool, arrived_at: datetime, zones: Mapping[str, str]
) -> list[Rule]:
    """The rules of a contract for the columns that a file delivers: `<name>` holds the value, `came_<name>` whether the provider wrote any.

    Parameters
    ----------
    zones
        Column -> time zone that the provider declares for it.
    """
    rules = [
        Rule("row", "shape is not null", "a value for each column of the header", "Correct the row: a value with a delimiter in it needs quotes.")
    ]
    for column in contract.columns:
        if column.name in mapped:
            # Facts lean on each store and product: one whose price nobody can read would take all of its deliveries along.
            empties = contract.needed and not contract.sliced and not column.required and column.name not in contract.key
            there = zones.get(column.name)
            rules += [replace(rule, empties=empties) for rule in _column_rules(column, column.name in can_fail, arrived_at, there)]
    if {"start_date", "end_date"} <= mapped:
        advice = "Correct the two days, or how they are mapped: what ends before it starts is on no day."
        rules.append(Rule("end_date", "end_date < start_date", "a last day that is not before the first", advice))
    if contract.table in _KNOWN_AFTER and "known_at" in mapped:
        dated, days = _KNOWN_AFTER[contract.table]
        early, late = f"known_at < {dated} - interval {days} day", f"known_at > timestamptz '{arrived_at.isoformat()}' + interval {_PUT_OFF} day"
        advice = "Correct the time, or say in the provider YAML how it is written (date_format, timezone)."
        rules.append(Rule("known_at", early, f"a time after its {dated} began", f"{advice} What has not happened is not known."))
        rules.append(Rule("known_at", late, "a time before the file arrived", f"{advice} Until then no forecast would use it."))
    if "line_id" in mapped:
        rules.append(Rule("line_id", "line_id is null", "the line's number", "Fill it: a line without a number cannot be told from a repeated one."))
    if contract.sliced and "store_id" in mapped:
        rules.append(Rule("store_id", "region is null", "a store of the stores source", "Add the store to the stores file, or correct its number."))
    if contract.sliced and "product_id" in mapped and not accept_unknown_products:
        rules.append(
            Rule(
                "product_id",
                "not product_known",
                "a product of the products source",
                "Add the product to the products file, or set 'unknown_products: accept' in the provider YAML.",
            )
        )
    return rules


def _column_rules(column: Column, can_fail: bool, arrived_at: datetime, zone: str | None) -> list[Rule]:
    name, raw = quoted(column.name), quoted(f"came_{column.name}")
    rules = []
    unit = (
        f"Correct the value, or say its unit in the provider YAML ({_UNITS[column.unit]})."
        if column.unit in _UNITS
        else "Correct the value or its unit."
    )
    if can_fail:
        rules.append(
            Rule(
                column.name,
                f"{name} is null and {raw}",
                _EXPECTED.get(column.name, _EXPECTED["part" if column.kind == "text" and column.name not in IDENTIFIERS else column.kind]),
                _UNREADABLE.get(column.name, _UNREADABLE.get(column.kind, _SAY_HOW)),
            )
        )
    if column.required:
        rules.append(Rule(column.name, f"{name} is null", "a value", "Fill it, or give a 'default' for the column in the provider YAML."))
    if column.minimum == 0 and column.kind == "integer":
        advice = "Returns belong in the returns source: see README, 'Bring your own data'."
        rules.append(Rule(column.name, f"{name} < 0", "a quantity of 0 or more", advice))
    elif column.minimum is not None:
        rules.append(Rule(column.name, f"{name} < {column.minimum}", f"{column.minimum:g} or more", unit))
    if column.maximum is not None:
        rules.append(Rule(column.name, f"{name} > {column.maximum}", f"{column.maximum:g} or less", unit))
    if column.allowed:
        choices = ", ".join(map(literal, column.allowed))
        advice = "Map the provider's values in its YAML, under 'map'."
        rules.append(Rule(column.name, f"{name} not in ({choices})", f"one of {choices}", advice))
    if column.name == "region":
        advice = "Write it with letters, digits and underscores, or map it in the provider YAML, under 'regions'."
        rules.append(Rule(column.name, f"not regexp_full_match({name}, '[a-z][a-z0-9_]{{0,62}}')", "a region key like north_texas", advice))
        advice = "Give the region another key in the provider YAML, under 'regions'; an event for all regions names none."
        rules.append(
            Rule(column.name, f"{name} = '{ALL_REGIONS}'", f"a key other than {ALL_REGIONS!r}, which stands for all regions together", advice)
        )
    if column.kind in {"date", "timestamp"}:
        first, last = (f"{column.duckdb} '{day}'" for day in YEARS)
        advice = "Correct the date, or its date_format in the provider YAML."
        rules.append(Rule(column.name, f"{name} not between {first} and {last}", "a day of the years 1 to 9999", advice))
    if column.monday:
        advice = (
            "A week is named by its Monday; say in the provider YAML 'clean: week' for daily dates, and for weeks of other days 'week_starts: "
            "sunday' or 'week_ends: saturday', whichever day the date names."
        )
        rules.append(Rule(column.name, f"isodow({name}) <> 1", "a Monday", advice))
    if column.past:
        advice = "Correct the date, or its date_format in the provider YAML."
        rules.append(Rule(column.name, f"{name} > {_day_of(arrived_at, zone)}", "a day before the file arrived", advice))
        rules.append(Rule(column.name, f"{name} < date '{EARLIEST}'", f"a day from {EARLIEST} on", advice))
    return rules


def _day_of(arrived_at: datetime, zone: str | None) -> str:
    """SQL of the day on which a file came: in the declared zone, or where the day begins first, since nobody said where the file is from."""
    arrived = f"timestamptz '{arrived_at.isoformat()}'"
    return f"timezone('UTC', {arrived} + interval {_FIRST_ON_EARTH} hour)::date" if zone is None else f"timezone({literal(zone)}, {arrived})::date"


def mark_broken(connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule], came_as: Mapping[str, str]) -> None:
    """Fill the temp table `broken(row, rule, expected, came, advice)` with the first rule that each row of `mapped` breaks; one pass.

    Rows that are taken in without a value stand in `emptied` instead, which is filled in the same way, and the value in `mapped` is emptied.

    Parameters
    ----------
    came_as
        Column -> SQL over the table `raw` of what the provider wrote there.
    """
    for table in ("broken", "emptied"):
        connection.execute(f"create temp table {table} (row bigint, rule varchar, expected varchar, came varchar, advice varchar)")
    connection.execute("create temp table rules (number integer, rule varchar, expected varchar, advice varchar)")
    if rules:
        connection.executemany("insert into rules values (?, ?, ?, ?)", [(n, rule.name, rule.expected, rule.advice) for n, rule in enumerate(rules)])
    numbered = list(enumerate(rules))
    if first := {number: rule for number, rule in numbered if not rule.empties}:
        connection.execute(f"insert into broken {_first_broken(first, came_as, 'true')}")
    by_column: dict[str, dict[int, Rule]] = {}
    for number, rule in numbered:
        if rule.empties:
            by_column.setdefault(rule.column, {})[number] = rule
    connection.execute("create temp table found as from emptied")
    for column, of_column in by_column.items():
        connection.execute(f"insert into found {_first_broken(of_column, came_as, 'row not in (select row from broken)')}")
        connection.execute(
            f"update mapped set {quoted(column)} = null where row in (select row from found where split_part(rule, ':', 1) = $1)", [column]
        )
    connection.execute(
        f"update broken set advice = $1 where expected = '{_EXPECTED['integer']}' and regexp_full_match(came, '[+-]?[0-9]*[.,][0-9]+')", [_FRACTION]
    )
    # A row has one entry, in which its other values that were left out are named too.
    connection.execute(
        """
        insert into emptied
        select
            row, first(rule order by number), first(expected order by number),
            string_agg(
                case when number = 1 then came else format('column {}: expected {}, came {}', split_part(rule, ':', 1), expected, came) end, '; '
                order by number
            ),
            'The row is taken in without it. ' || first(advice order by number)
        from (select *, row_number() over (partition by row) as number from found) group by row
        """
    )


def _first_broken(rules: Mapping[int, Rule], came_as: Mapping[str, str], where: str) -> str:
    """SQL of the first of these rules that each row of `mapped` breaks, with what came. The file's own columns may have any name."""
    cases = " ".join(f"when {rule.broken} then {number}" for number, rule in rules.items())
    raw_values = " ".join(f"when {number} then coalesce({came_as.get(rule.column, 'null')}, '(empty)')" for number, rule in rules.items())
    return f"""
        with numbered as (select row, case {cases} end as rule_number from mapped where {where}),
        found_first(__broken__, __rule__) as (select row, min(rule_number) from numbered where rule_number is not null group by row),
        texts(row, rule_number, came) as (
            select __broken__, __rule__, case __rule__ {raw_values} end from found_first join raw on raw.{ROW} = __broken__
        )
        select row, rule, expected, came, advice from texts join rules on number = rule_number
    """
