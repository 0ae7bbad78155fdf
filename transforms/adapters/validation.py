"""Sort mapped rows into those that follow their contract and those that break it, each with rule, row, value, what was expected and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from transforms.adapters.formats.headers import ROW
from transforms.calendar import ALL_REGIONS
from transforms.contracts import Column, Contract
from transforms.lake.database import literal, quoted

EARLIEST = "1980-01-01"
"""A delivery or an observation before this day is a typing error."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition that marks a row as bad, the column to show, and what to tell."""

    column: str
    broken: str
    expected: str
    advice: str

    @property
    def name(self) -> str:
        """How the rule is called in quarantine."""
        return f"{self.column}: {self.expected}"


def rules_for(contract: Contract, mapped: set[str], can_fail: set[str], accept_unknown_products: bool, arrived_at: datetime) -> list[Rule]:
    """The rules of a contract for the columns that a file delivers: `<name>` holds the value, `came_<name>` whether the provider wrote any."""
    rules = [
        Rule("row", "shape is not null", "a value for each column of the header", "Correct the row: a value with a delimiter in it needs quotes.")
    ]
    rules += [rule for column in contract.columns if column.name in mapped for rule in _column_rules(column, column.name in can_fail, arrived_at)]
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


def _column_rules(column: Column, can_fail: bool, arrived_at: datetime) -> list[Rule]:
    name, raw = quoted(column.name), quoted(f"came_{column.name}")
    kind = {
        "text": "an identifier with all its digits",
        "integer": "a whole number",
        "number": "a number",
        "date": "a date",
        "timestamp": "a date and time",
        "flag": "true or false",
    }
    rules = []
    if can_fail:
        advice = "Correct the value, or say in the provider YAML how it is written (date_format, decimal, unit)."
        rules.append(Rule(column.name, f"{name} is null and {raw}", kind[column.kind], advice))
    if column.required:
        rules.append(Rule(column.name, f"{name} is null", "a value", "Fill it, or give a 'default' for the column in the provider YAML."))
    if column.minimum == 0 and column.kind == "integer":
        advice = "Returns belong in the returns source: see README, 'Bring your own data'."
        rules.append(Rule(column.name, f"{name} < 0", "a quantity of 0 or more", advice))
    elif column.minimum is not None:
        rules.append(Rule(column.name, f"{name} < {column.minimum}", f"{column.minimum:g} or more", "Correct the value or its unit."))
    if column.maximum is not None:
        rules.append(Rule(column.name, f"{name} > {column.maximum}", f"{column.maximum:g} or less", "Correct the value or its unit."))
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
    if column.monday:
        advice = (
            "A week is named by its Monday; say in the provider YAML 'clean: week' for daily dates, and for weeks of other days 'week_starts: "
            "sunday' or 'week_ends: saturday', whichever day the date names."
        )
        rules.append(Rule(column.name, f"isodow({name}) <> 1", "a Monday", advice))
    if column.past:
        advice = "Correct the date, or its date_format in the provider YAML."
        rules.append(Rule(column.name, f"{name} > date '{arrived_at:%Y-%m-%d}'", "a day before the file arrived", advice))
        rules.append(Rule(column.name, f"{name} < date '{EARLIEST}'", f"a day from {EARLIEST} on", advice))
    return rules


def mark_broken(connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule], came_as: Mapping[str, str]) -> None:
    """Fill the temp table `broken(row, rule, expected, came, advice)` with the first rule that each row of `mapped` breaks; one pass.

    Parameters
    ----------
    came_as
        Column -> SQL over the table `raw` of what the provider wrote there.
    """
    cases = " ".join(f"when {rule.broken} then {number}" for number, rule in enumerate(rules))
    raw_values = " ".join(f"when {number} then coalesce({came_as.get(rule.column, 'null')}, '(empty)')" for number, rule in enumerate(rules))
    connection.execute("create temp table broken (row bigint, rule varchar, expected varchar, came varchar, advice varchar)")
    if not rules:
        return
    connection.execute("create temp table rules (number integer, rule varchar, expected varchar, advice varchar)")
    connection.executemany("insert into rules values (?, ?, ?, ?)", [(n, rule.name, rule.expected, rule.advice) for n, rule in enumerate(rules)])
    connection.execute(
        f"""
        insert into broken
        with numbered as (select row, case {cases} end as rule_number from mapped),
        found as (select row, min(rule_number) as rule_number from numbered where rule_number is not null group by row),
        texts as (select found.row, rule_number, case rule_number {raw_values} end as came from found join raw on raw.{ROW} = found.row)
        select row, rule, expected, came, advice from texts join rules on number = rule_number
        """
    )
