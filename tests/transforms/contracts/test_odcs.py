"""Incidents around data contracts: a catalogue that cannot read one, and one that says what the table does not hold."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import OpenDataContractStandard

from docs.generate import DOCS
from transforms.contracts import GOLD, Contract, odcs
from transforms.lake.tables import Lake

SCHEMA = Draft201909Validator(json.loads((files("open_data_contract_standard") / "schema.json").read_text()))
BY_NAME = {contract.name: contract for contract in GOLD}
WRITTEN_WEEKLY = {
    "gold/accuracy",
    "gold/audit_heads",
    "gold/contributions",
    "gold/dataset_events",
    "gold/dataset_versions",
    "gold/demand",
    "gold/drift",
    "gold/forecasts",
    "gold/ladder",
    "gold/model_events",
    "gold/model_versions",
    "gold/order_plan",
    "gold/order_plan_final",
    "gold/pipeline_steps",
    "gold/plan_value",
    "gold/retraining",
    "gold/value_added",
}


def documented(contract: Contract, *where: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(odcs.document(contract, *where))
    return found


@pytest.mark.parametrize("contract", GOLD, ids=lambda contract: contract.table)
def test_a_contract_is_what_the_standard_says(contract: Contract) -> None:
    for where in ((), ("/srv/lake/x",), ("s3://bucket/lake/x", "http://store:8333")):
        document = documented(contract, *where)
        assert [error.message for error in SCHEMA.iter_errors(document)] == []
        assert OpenDataContractStandard.model_validate(document).apiVersion == odcs.STANDARD


def test_the_standard_is_the_one_that_the_schema_is_of() -> None:
    assert SCHEMA.schema["properties"]["apiVersion"]["default"] == odcs.STANDARD


def test_no_contract_of_a_table_that_is_gone_stays_in_the_documentation() -> None:
    assert {path.name for path in (DOCS / "contracts").iterdir()} == {f"{contract.table}.odcs.yaml" for contract in GOLD}


def test_ids_of_contracts_are_unique() -> None:
    assert len({documented(contract)["id"] for contract in GOLD}) == len(GOLD)


@pytest.fixture(scope="module")
def lake(small_lake: Path) -> Lake:
    return Lake(str(small_lake))


def test_each_table_that_a_weekly_run_writes_is_held_against_its_contract(lake: Lake) -> None:
    assert {name for name in BY_NAME if lake.exists(name)} == WRITTEN_WEEKLY


@pytest.mark.parametrize("name", sorted(WRITTEN_WEEKLY))
def test_a_real_table_is_as_its_contract_says(lake: Lake, name: str) -> None:
    [table] = documented(BY_NAME[name])["schema"]
    assert {column["name"]: column["physicalType"] for column in table["properties"]} == lake.stored_columns(name)
    partitioned = [column["name"] for column in table["properties"] if column.get("partitioned")]
    actions = lake.data_files(name).column_names
    assert [column.removeprefix("partition.") for column in actions if column.startswith("partition.")] == partitioned
    with lake.connect(name) as connection:
        view = name.replace("/", "_")
        broken = {rule: connection.execute(sql).fetchall()[0][0] for rule, sql in promises(table, view).items()}
    assert {rule: rows for rule, rows in broken.items() if rows} == {}


def promises(table: dict[str, Any], view: str) -> dict[str, str]:
    """What the document promises of its table, each as SQL that counts the rows that break it."""
    found = {}
    key = sorted((column["primaryKeyPosition"], column["name"]) for column in table["properties"] if column.get("primaryKey"))
    [unique] = table["quality"]
    assert (unique["metric"], unique["arguments"]["properties"]) == ("duplicateValues", [name for _, name in key])
    names = ", ".join(f'"{name}"' for _, name in key)
    found["key"] = f"select count(*) from (select {names} from {view} group by all having count(*) > 1)"
    for column in table["properties"]:
        name, options = column["name"], column.get("logicalTypeOptions", {})
        quoted = f'"{name}"'
        wrong = [f"{quoted} is null"] if column["required"] else []
        wrong += [f"{quoted} < {options['minimum']}"] if "minimum" in options else []
        wrong += [f"{quoted} > {options['maximum']}"] if "maximum" in options else []
        wrong += [f"{quoted} not in ({', '.join(repr(one['value']) for one in column['enum'])})"] if "enum" in column else []
        if wrong:
            found[name] = f"select count(*) from {view} where {' or '.join(wrong)}"
        for rule in column.get("quality", []):
            assert rule["mustBe"] == 0
            found[rule["name"]] = rule["query"].replace("${table}", view).replace("${column}", quoted)
    return found


def test_every_bound_of_a_contract_stands_in_its_document() -> None:
    for contract in GOLD:
        for column, told in zip(contract.columns, documented(contract)["schema"][0]["properties"], strict=True):
            options = told.get("logicalTypeOptions", {})
            assert (told["name"], told["required"], told["description"]) == (column.name, column.required, column.description)
            assert (options.get("minimum"), options.get("maximum")) == (column.minimum, column.maximum)
            assert tuple(one["value"] for one in told.get("enum", [])) == column.allowed
            assert bool(told.get("quality")) == column.monday
            assert [one["value"] for one in told.get("customProperties", [])] == ([column.unit] if column.unit else [])
