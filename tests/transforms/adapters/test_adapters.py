from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from transforms.adapters import built_in_providers, load_provider, read_file
from transforms.adapters.numbers import key, parsed_number
from transforms.errors import ConfigurationError
from transforms.lake.database import literal

NOW = datetime(2022, 6, 1, tzinfo=UTC)


def test_every_built_in_provider_loads() -> None:
    assert built_in_providers() == ["iowa_dsd", "iowa_statewide", "sample"]
    for name in built_in_providers():
        assert load_provider(name).name == name


def test_an_unknown_provider_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^There is no provider 'iowa': expected one of iowa_dsd, iowa_statewide, sample, or the path of a provider YAML"
    ):
        load_provider("iowa")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("units_shipped: units", "units_sent: units", r"\['units_sent'\] are not columns of its contract; expected region, store_id"),
        (", units_shipped: units", "", r"source 'shipments': required columns \['units_shipped'\] are not mapped"),
        ("format: csv", "format: sas", "Input should be 'csv', 'jsonl', 'fixed', 'parquet', 'xlsx', 'xls', 'xlsb' or 'ods'"),
        ("  shipments:", "  deliveries:", "source 'deliveries' is not a standard source"),
        ("price: price}", "price: {unit: fahrenheit}}", "a column needs exactly one of 'column'"),
        ("name: corner_shop", "name: [", "is not YAML"),
        (
            "format: csv",
            "format: csv\n      delimiter: ¦",
            "delimiter: expected one ASCII character that is no quote and no end of a line, .*came '¦'",
        ),
        ("format: csv", 'format: csv\n      delimiter: "\\n"', "delimiter: expected one ASCII character"),
        ("product_id: sku", "product_id: {value: 0101}", 'came 0101, which YAML reads as 65. If a text is meant, quote it: "0101"'),
        ("product_id: sku", "product_id: {value: 1:30}", "came 1:30, which YAML reads as 90"),
        ("case_pack: pack", "case_pack: {value: 1_000}", "came 1_000, which YAML reads as 1000"),
        (
            "product_id: sku",
            "product_id: {value: 101.10}",
            "product_id.value: expected a text for 'product_id', came a number that does not keep all",
        ),
        ("product_id: sku", "product_id: {value: 12345678901234567890}", "came a number that does not keep all its digits"),
    ],
)
def test_a_wrong_provider_file_is_explained(shop: Path, old: str, new: str, message: str) -> None:
    path = shop / "corner_shop.yaml"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=message):
        load_provider(str(path))


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Québec", "quebec"),
        ("North-East  (2)", "north_east_2"),
        ("São Paulo", "sao_paulo"),
        ("Łódź", "lodz"),
        ("Ærø", "aero"),
        ("Gießen", "giessen"),
        ("Нижний Новгород", "nizhnii_novgorod"),
        ("Харків", "kharkiv"),
        ("Θεσσαλονίκη", "thessaloniki"),
        ("東京", None),
        ("Osaka 大阪", None),
        ("القاهرة", None),
        ("---", None),
    ],
)
def test_a_key_is_made_of_names_in_european_scripts_and_of_no_part_of_others(name: str, made: str | None) -> None:
    """Łódź was odz, and Osaka with its Japanese name would be one region with all others that begin like it."""
    assert duckdb.sql(f"select {key(literal(name))}").fetchall() == [(made,)]


def test_a_region_in_a_script_without_key_is_told_with_what_to_do(shop: Path) -> None:
    stores = shop / "stores.csv"
    stores.write_text(stores.read_text() + "4,東京,LARGE,Dallas\n")
    provider = load_provider(str(shop / "corner_shop.yaml"))
    found = read_file(provider, "stores", provider.sources["stores"][0], stores, "stores.csv", None, NOW)
    assert found.quarantined["message"].to_pylist() == [
        "stores.csv, row 4, column region: expected a region's name, came 東京. "
        "Write it with Latin letters, or map it to a key like north_texas in the provider YAML, under 'regions'."
    ]
    mapped = provider.model_copy(update={"regions": {"東京": "tokyo"}})
    assert read_file(mapped, "stores", provider.sources["stores"][0], stores, "stores.csv", None, NOW).rows["region"].to_pylist()[-1] == "tokyo"


@pytest.mark.parametrize(
    ("text", "decimal", "grouping", "number"),
    [
        ("1\u202f234\u202f567,5", ",", " ", 1234567.5),
        ("1\u00a0200", ",", " ", 1200),
        ("1\u2009200.50", ".", " ", 1200.5),
        ("12 000", ".", " ", 12000),
        ("1\u202f20", ",", " ", None),
        ("1\u202f200", ",", ".", None),
        ("1\u2019200", ".", "'", 1200),
        ("\u22121.200,5", ",", ".", -1200.5),
        ("\u22126", ".", None, -6),
        ("6\u2212", ".", None, None),
        ("1-2", ".", None, None),
        ("1.200", ",", ".", 1200),
        ("12.0", ",", ".", None),
    ],
)
def test_spaces_and_minus_signs_that_look_alike_are_alike_in_numbers(text: str, decimal: str, grouping: str | None, number: float | None) -> None:
    """French programs group by a narrow space that breaks no line: with 'grouping: " "' each such number was told to be none."""
    parsed = parsed_number(literal(text), decimal, grouping, (), "leading")
    assert duckdb.sql(f"select {parsed}").fetchall() == [(number,)]
