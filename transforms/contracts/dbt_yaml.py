"""Render the dbt project's YAML (sources, models, columns, data tests) and its staging models from the contracts.

The files are checked in, so that dbt and its docs work by themselves; a test fails where they differ. `python -m transforms.contracts.dbt_yaml`
writes them anew.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from transforms.contracts import CONTRACTS, SOURCES, Column, Contract, Source

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
_HEAD = "Written by `python -m transforms.contracts.dbt_yaml` from transforms/contracts: change it there."
_DBT_MODELS = {
    "intermediate": [name for name in CONTRACTS if name.startswith("silver/")],
    "marts": ["gold/demand"],
}
_STAGED_LINEAGE = ("source_file", "arrived_at")
"""Columns that tell reports of the same fact apart."""


def render() -> dict[Path, str]:
    """Every generated file, by its path below the dbt project."""
    files = {Path("models/staging/_sources.yml"): _dump({"sources": [_source()]})}
    files[Path("models/staging/_models.yml")] = _dump({"models": [_staging(contract) for contract in SOURCES.values()]})
    files |= {Path(f"models/staging/stg_{contract.table}.sql"): _staging_sql(contract) for contract in SOURCES.values()}
    for folder, names in _DBT_MODELS.items():
        files[Path(f"models/{folder}/_models.yml")] = _dump({"models": [_model(CONTRACTS[name]) for name in names]})
    return files


@lru_cache(maxsize=1)
def described_columns() -> dict[str, dict[str, dict[str, str]]]:
    """Layer -> table -> column -> type of everything that dbt reads or makes."""
    columns: dict[str, dict[str, dict[str, str]]] = {"bronze": {}}
    for table in _source()["tables"]:
        columns["bronze"][table["name"]] = {column["name"]: column["data_type"] for column in table["columns"]}
    models = [_staging(contract) for contract in SOURCES.values()] + [_model(CONTRACTS[name]) for names in _DBT_MODELS.values() for name in names]
    for model in models:
        layer, name = model["config"]["meta"]["dagster"]["asset_key"]
        columns.setdefault(layer, {})[name] = {column["name"]: column["data_type"] for column in model["columns"]}
    return columns


def write(project: Path = PROJECT) -> list[Path]:
    """Write the files below `project`."""
    for path, text in render().items():
        (project / path).write_text(text)
    return list(render())


def _dump(content: dict[str, Any]) -> str:
    return f"# {_HEAD}\n" + yaml.safe_dump({"version": 2, **content}, sort_keys=False, width=140, allow_unicode=True)


def _source() -> dict[str, Any]:
    return {
        "name": "bronze",
        "schema": "bronze",
        "description": "Landing files mapped onto the standard contracts, with file and content hash.",
        "tables": [
            {
                "name": name,
                "description": CONTRACTS[f"bronze/{name}"].grain,
                **_freshness(CONTRACTS[f"bronze/{name}"]),
                "meta": {"dagster": {"asset_key": ["bronze", name]}},
                "columns": [_column(column) for column in CONTRACTS[f"bronze/{name}"].columns],
            }
            for name in SOURCES
        ],
    }


def _freshness(contract: Contract) -> dict[str, Any]:
    """When `dbt source freshness` warns: the newest arrival is older than the contract says; twice that is an error."""
    if contract.fresh_for is None:
        return {}
    late = {f"{level}_after": {"count": contract.fresh_for * times, "period": "day"} for level, times in (("warn", 1), ("error", 2))}
    return {"config": {"freshness": late, "loaded_at_field": "arrived_at"}}


def _staging_sql(contract: Source) -> str:
    """The staging model of a source: its columns from bronze, of facts those of the run's slices."""
    lines = [f"-- {_HEAD}"]
    if contract.read_whole is not None:
        lines.append(f"-- Whole history: {contract.read_whole}.")
    columns = [column.name if column.staged_as is None else f"{column.name} as {column.staged_as}" for column in contract.columns]
    columns += _STAGED_LINEAGE if contract.sliced else ()
    lines += ["select", ",\n".join(f"    {column}" for column in columns), f'from {{{{ source("bronze", "{contract.table}") }}}}']
    if contract.sliced and contract.read_whole is None:
        lines.append("where {{ in_slices() }}")
    return "\n".join(lines) + "\n"


def _staging(contract: Source) -> dict[str, Any]:
    columns = [_column(column) for column in contract.staged]
    if contract.sliced:
        columns += [_column(CONTRACTS[contract.name][name]) for name in _STAGED_LINEAGE]
    return {
        "name": f"stg_{contract.table}",
        "description": contract.grain,
        "config": {"tags": [_tag(contract)], "meta": {"dagster": {"asset_key": ["staging", f"stg_{contract.table}"]}}},
        "columns": columns,
    }


def _model(contract: Contract) -> dict[str, Any]:
    week = {"week_column": contract.week_column} if contract.sliced else {}
    tests: list[dict[str, Any]] = [
        {"unique_key": {"name": f"{contract.table}_key_is_unique", "arguments": {"columns": list(contract.key), **week}}},
        {"follows_contract": {"name": f"{contract.table}_follows_contract", "arguments": {"rules": _rules(contract), **week}}},
    ]
    if contract.table == "weather_known":
        tests.append(
            {
                "no_forecast_after_origin": {
                    "name": "weather_known_uses_no_later_forecast",
                    "arguments": {"forecasts": "ref('stg_weather_forecast')"},
                }
            }
        )
    return {
        "name": contract.table,
        "description": contract.grain,
        "config": {"tags": [_tag(contract)], "meta": {"dagster": {"asset_key": [contract.layer, contract.table]}}},
        "columns": [_column(column) for column in contract.columns],
        "data_tests": tests,
    }


def _tag(contract: Contract) -> str:
    return "sliced" if contract.sliced else "reference"


def _column(column: Column) -> dict[str, Any]:
    unit = f" [{column.unit}]" if column.unit else ""
    return {"name": column.name, "description": f"{column.description}{unit}", "data_type": column.duckdb}


def _rules(contract: Contract) -> dict[str, str]:
    """Name of each rule -> SQL that is true where a row breaks it."""
    rules: dict[str, str] = {}
    for column in contract.columns:
        if column.required:
            rules[f"{column.name} is missing"] = f"{column.name} is null"
        if column.minimum is not None:
            rules[f"{column.name} is below {column.minimum:g}"] = f"{column.name} < {column.minimum:g}"
        if column.maximum is not None:
            rules[f"{column.name} is above {column.maximum:g}"] = f"{column.name} > {column.maximum:g}"
        if column.allowed:
            choices = ", ".join(f"'{value}'" for value in column.allowed)
            rules[f"{column.name} is none of {', '.join(column.allowed)}"] = f"{column.name} not in ({choices})"
        if column.monday:
            rules[f"{column.name} is not a Monday"] = f"isodow({column.name}) <> 1"
    return rules


if __name__ == "__main__":
    write()
