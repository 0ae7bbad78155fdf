"""One test for all sources and one for all gold tables: a new one is told what is missing until it stands everywhere."""

from functools import cache
from pathlib import Path

import pytest

from docs.generate import AGAIN, DOCS
from transforms.adapters import built_in_providers, load_provider
from transforms.contracts import CONTRACTS, GOLD, SOURCES, Column, Contract, Source
from transforms.contracts.bronze import KNOWN_AT, PAST_WEEK, REGION, STORE
from transforms.contracts.dbt_yaml import PROJECT, render

RECEIPTS = Source(
    "bronze/till_receipts",
    "One row per store and week: how many receipts its tills printed.",
    (REGION, STORE, PAST_WEEK, Column("receipts", "integer", "Receipts printed.", minimum=0), KNOWN_AT),
    key=("region", "store_id", "week"),
)
TAKINGS = Contract("gold/takings", "One row per store and week: what was taken.", RECEIPTS.columns, key=RECEIPTS.key)

MADE_WITH = {
    "gold/drift": "reports/drift_report",
    "gold/ab_forecasts": "gold/forecasts",
    "gold/model_versions": "models/ensembles",
    "gold/model_events": "models/champions",
    "gold/dataset_events": "gold/dataset_versions",
    "gold/maturity": "audit/maturity",
}
"""Gold tables that an asset of another name writes beside its own."""
RECORDS = {
    "gold/ab_tests": "decisions of persons: shelfcast ab",
    "gold/overrides": "edits of persons: the page Orders",
    "gold/plan_events": "decisions of persons: the page Orders",
    "gold/experiments": "tries of persons: shelfcast tune and compare, notebooks",
    "gold/audit_heads": "each commit of an append-only table",
    "gold/pipeline_steps": "the end of each run",
    "gold/alerts": "each look for what needs a person: sensor alerts, shelfcast alerts",
    "gold/releases": "decisions of persons: shelfcast promote-release",
}
"""Gold tables that no asset makes, and what writes them."""


@cache
def _assets() -> dict[str, set[str]]:
    """Key of each asset -> keys of those that it is made from."""
    from orchestration.definitions import defs

    graph = defs.resolve_asset_graph()
    return {"/".join(key.path): {"/".join(parent.path) for parent in graph.get(key).parent_keys} for key in graph.get_all_asset_keys()}


def missing_of_source(source: Source) -> list[str]:
    """What a source lacks, each as what to do."""
    name, staging = source.table, f"staging/stg_{source.table}"
    lacks = [] if SOURCES.get(name) is source else ["list the contract in SOURCES (transforms/contracts/bronze.py)"]
    if source.sliced and source.fresh_for is None:
        lacks.append("say in the contract after how many days it is late (fresh_for)")
    if source.sliced and "known_at" not in source.names:
        lacks.append("say when a row became known (column known_at), or a forecast of the past could use it")
    providers = [provider for provider in built_in_providers() if name in load_provider(provider).sources] if name in SOURCES else []
    if not providers:
        lacks.append("map a file onto it in a provider's YAML (transforms/providers)")
    if not [path for path in PROJECT.glob("models/[!s]*/*.sql") if f'ref("stg_{name}")' in path.read_text()]:
        lacks.append(f'read it in a dbt model: {{{{ ref("stg_{name}") }}}} (dbt_project/models/intermediate)')
    model = Path(f"models/staging/stg_{name}.sql")
    described = f"- name: stg_{name}\n" in (PROJECT / "models/staging/_models.yml").read_text()
    if not described or not (PROJECT / model).is_file() or (PROJECT / model).read_text() != render()[model]:
        lacks.append("write the dbt files of the contracts: python -m transforms.contracts.dbt_yaml")
    if f"\n| {name} | " not in (DOCS / "bring-your-data.md").read_text():
        lacks.append(f"write the tables of the documentation: {AGAIN}")
    if absent := [key for key in (f"landing/{name}", f"bronze/{name}", staging) if key not in _assets()]:
        lacks.append(f"give it the assets {', '.join(absent)} (orchestration/defs/landing.py and conditioning.py make them from SOURCES)")
    elif not [key for key, parents in _assets().items() if staging in parents]:
        lacks.append(f"{staging} has no asset that is made from it: parse the dbt project anew")
    return lacks


def missing_of_gold(table: Contract) -> list[str]:
    """What a gold table lacks, each as what to do."""
    lacks = [] if CONTRACTS.get(table.name) is table else ["list the contract in GOLD (transforms/contracts/gold.py) or LIFE_CYCLE (life_cycle.py)"]
    if MADE_WITH.get(table.name, table.name) not in _assets() and table.name not in RECORDS:
        lacks.append("give it an asset (orchestration/defs), by table_spec or as a dbt model, or name here what else writes it")
    if f"\n### {table.name}\n" not in (DOCS / "tables.md").read_text():
        lacks.append(f"write the tables of the documentation: {AGAIN}")
    return lacks


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_source_stands_everywhere(source: Source) -> None:
    lacks = missing_of_source(source)
    assert not lacks, f"Source {source.table!r} is not complete: {'; '.join(lacks)}."


@pytest.mark.parametrize("table", GOLD, ids=[table.name for table in GOLD])
def test_a_gold_table_stands_everywhere(table: Contract) -> None:
    lacks = missing_of_gold(table)
    assert not lacks, f"Table {table.name!r} is not complete: {'; '.join(lacks)}."


def test_a_source_that_is_a_contract_alone_is_told_all_that_is_missing() -> None:
    assert [lack.split(" ")[0] for lack in missing_of_source(RECEIPTS)] == ["list", "say", "map", "read", "write", "write", "give"]


def test_a_gold_table_that_is_a_contract_alone_is_told_all_that_is_missing() -> None:
    assert [lack.split(" ")[0] for lack in missing_of_gold(TAKINGS)] == ["list", "give", "write"]
