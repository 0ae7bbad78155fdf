"""Check mapped rows against their contract and name the first row that breaks it: file, row, column, value, what was expected, what to do."""

from dataclasses import dataclass

import duckdb

from transforms.adapters.expressions import literal, quoted
from transforms.contracts import Column, Contract
from transforms.errors import LandingFileRefused


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition that marks a row as bad, the column to show, and what to tell."""

    column: str
    broken: str
    expected: str
    advice: str


def rules_for(contract: Contract, mapped: set[str], accept_unknown_products: bool) -> list[Rule]:
    """The rules of a contract for the columns that a file delivers (`raw_<name>` holds the provider's text, `<name>` the value)."""
    rules = [rule for column in contract.columns if column.name in mapped for rule in _column_rules(column)]
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


def _column_rules(column: Column) -> list[Rule]:
    name, came = quoted(column.name), quoted(f"raw_{column.name}")
    kind = {"integer": "a whole number", "number": "a number", "date": "a date", "timestamp": "a date and time", "flag": "true or false"}
    rules = []
    if column.kind != "text":
        advice = "Correct the value, or say in the provider YAML how it is written (date_format, decimal, unit)."
        rules.append(Rule(column.name, f"{name} is null and {came} is not null", kind[column.kind], advice))
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
    if column.monday:
        advice = "A week is named by its Monday; for daily dates set 'clean: week' in the provider YAML."
        rules.append(Rule(column.name, f"isodow({name}) <> 1", "a Monday", advice))
    return rules


def refuse_broken_rows(connection: duckdb.DuckDBPyConnection, view: str, rules: list[Rule], where: str) -> None:
    """Raise `LandingFileRefused` for the first broken rule; all rules are counted in one pass over `view` (which has a `row` column)."""
    if not rules:
        return
    counts = ", ".join(f"count(*) filter (where {rule.broken}), min(row) filter (where {rule.broken})" for rule in rules)
    found = connection.execute(f"select {counts} from {view}").fetchone() or ()
    for rule, broken, row in zip(rules, found[::2], found[1::2], strict=True):
        if broken:
            value = connection.execute(f"select coalesce({quoted(f'raw_{rule.column}')}, '(empty)') from {view} where row = {row}").fetchone()
            raise LandingFileRefused(
                f"{where}, row {row}, column {rule.column}: expected {rule.expected}, came {value[0] if value else '?'!s}"
                f"{f' ({broken} rows like this)' if broken > 1 else ''}. {rule.advice}"
            )
