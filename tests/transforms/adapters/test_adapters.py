from pathlib import Path

import pytest

from transforms.adapters import built_in_providers, load_provider
from transforms.errors import ConfigurationError


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
        ("format: csv", "format: sas", "Input should be 'csv', 'jsonl', 'parquet', 'xlsx', 'xls', 'xlsb' or 'ods'"),
        ("  shipments:", "  deliveries:", "source 'deliveries' is not a standard source"),
        ("price: price}", "price: {unit: fahrenheit}}", "a column needs exactly one of 'column'"),
        ("name: corner_shop", "name: [", "is not YAML"),
    ],
)
def test_a_wrong_provider_file_is_explained(shop: Path, old: str, new: str, message: str) -> None:
    path = shop / "corner_shop.yaml"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=message):
        load_provider(str(path))
