"""Names out of foreign files in files that spreadsheet programs open."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.contracts import CONTRACTS
from transforms.exports.spreadsheets import inert
from transforms.exports.tables import export
from transforms.lake.tables import Lake

FORMULAS = ("=cmd|'/c calc'!A1", "+1+1", "-2+3", "@SUM(A1)", "\tx", "\r=1", "\N{FULLWIDTH EQUALS SIGN}1+1")
TEXTS = ("Main St", "A-1", "a=b", "'=kept", " =1", "", "5", "x\n=1")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake, contract = Lake(str(tmp_path / "root")), CONTRACTS["silver/stores"]
    rows = [{"store_id": f"{number}", "region": "ohio", "name": name, "format": "large"} for number, name in enumerate((*FORMULAS, *TEXTS))]
    lake.overwrite(contract.name, pa.Table.from_pylist([{**dict.fromkeys(contract.names), **row} for row in rows], schema=contract.schema))
    return lake


def exported(lake: Lake, target: Path) -> dict[str, str | None]:
    assert export(lake, "silver/stores", "true", target) == len(FORMULAS + TEXTS)
    with target.open(newline="", encoding="utf-8") as file:
        return {row["store_id"]: row["name"] for row in csv.DictReader(file)}


def test_an_exported_name_that_begins_like_a_formula_is_none_to_a_spreadsheet(lake: Lake, tmp_path: Path) -> None:
    names = exported(lake, tmp_path / "stores.csv")
    assert [names[str(number)] for number in range(len(FORMULAS))] == [f"'{formula}" for formula in FORMULAS]
    assert [names[str(number)] for number in range(len(FORMULAS), len(names))] == list(TEXTS)


def test_a_parquet_export_holds_names_as_they_are(lake: Lake, tmp_path: Path) -> None:
    export(lake, "silver/stores", "true", tmp_path / "stores.parquet")
    assert set(pq.read_table(tmp_path / "stores.parquet")["name"].to_pylist()) == {*FORMULAS, *TEXTS}


def test_negative_numbers_stay_numbers() -> None:
    rows = pa.table({"id": ["-1", "b"], "units": [-1, 2], "money": [-0.5, None]})
    assert inert(rows).to_pydict() == {"id": ["'-1", "b"], "units": [-1, 2], "money": [-0.5, None]}
