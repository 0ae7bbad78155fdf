"""Provider YAML and `shelfcast.yaml` as strangers write them: what they say stays a value, what they name stays in landing, what is garbled is told."""

import gzip
import math
import re
import struct
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.project import Project
from transforms.adapters import ProviderSpec, References, load_provider, read_file
from transforms.adapters.expressions import literal, quoted
from transforms.errors import ConfigurationError, LandingFileRefused

NOW = datetime(2022, 6, 1, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
HOSTILE = ["O'", "'); drop table raw; --", "\\'", "$$", "' || (select 1) || '", "%s{0}$1?", "a\nb", '"', "\u2019", "/* */"]


def written(shop: Path, old: str, new: str) -> Path:
    path = shop / "corner_shop.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


def taken(provider: ProviderSpec, shop: Path, file: str = "2022-05-02.csv") -> list[int]:
    """The quantities that a file of shipments holds."""

    def read(source: str, path: Path, references: References | None) -> pa.Table:
        return read_file(provider, source, provider.sources[source][0], path, path.name, references, NOW).rows

    references = References(read("stores", shop / "stores.csv", None), read("products", shop / "products.csv", None))
    return sorted(read("shipments", shop / "shipments" / file, references)["units_shipped"].to_pylist())


@given(TEXT)
def test_a_text_that_goes_into_sql_is_read_back_as_it_was(text: str) -> None:
    assert duckdb.sql(f"select {literal(text)}").fetchall() == [(text,)]


@given(st.floats() | st.floats(0, 1))
@example(0.9571666602744265)  # digits that DuckDB reads as a decimal, whose cast to double is an ulp off
@example(-0.0)
@example(5e-324)
@example(1.7976931348623157e308)
@example(math.nan)
@example(-math.inf)
def test_a_number_that_goes_into_sql_is_read_back_as_it_was(number: float) -> None:
    kind, found = duckdb.sql(f"select typeof({literal(number)}), {literal(number)}").fetchall()[0]
    assert kind == "DOUBLE"
    assert math.isnan(found) if math.isnan(number) else struct.pack("<d", found) == struct.pack("<d", number)


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_a_whole_number_that_goes_into_sql_is_read_back_as_it_was(number: int) -> None:
    assert duckdb.sql(f"select {literal(number)}::bigint").fetchall() == [(number,)]


@given(TEXT.filter(bool))
def test_a_column_name_that_goes_into_sql_names_that_column(name: str) -> None:
    assert duckdb.sql(f"select 1 as {quoted(name)}").columns == [name]


def test_a_row_filter_cannot_read_other_files(shop: Path, tmp_path: Path) -> None:
    """`not_starting_with` was pasted into SQL: with this value it read a file outside and dropped every row when that held the text."""
    secret = tmp_path / "secret.txt"
    secret.write_text("top")
    prefix = f"zz') and not exists (select 1 from read_text('{secret}')) and not starts_with('a', 'b"
    path = written(
        shop,
        "      columns: {store_id: id, product_id: sku, week: week, units_shipped: units}",
        f'      rows: {{column: sku, not_starting_with: "{prefix}"}}\n      columns: {{store_id: id, product_id: sku, week: week, units_shipped: units}}',
    )
    assert taken(load_provider(str(path)), shop) == [6, 12, 24]


def test_a_row_filter_cannot_write_files(shop: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary.csv"
    prefix = f"zz'), true)) select m.*, 'a' as region, true as product_known from m; copy (select 1) to '{canary}'; select row from raw where coalesce(not starts_with('a', 'b"
    path = written(
        shop,
        "      columns: {store_id: id, product_id: sku, week: week, units_shipped: units}",
        f'      rows: {{column: sku, not_starting_with: "{prefix}"}}\n      columns: {{store_id: id, product_id: sku, week: week, units_shipped: units}}',
    )
    assert taken(load_provider(str(path)), shop) == [6, 12, 24]
    assert not canary.exists()


@pytest.mark.parametrize("text", HOSTILE)
def test_every_text_of_a_provider_file_is_a_value(shop: Path, text: str) -> None:
    """Row filter, map, default, constant, quoted column name and delimiter-like texts at once: rows are found again with their values."""
    spec = yaml.safe_load((shop / "corner_shop.yaml").read_text())
    shipments = spec["sources"]["shipments"][0]
    shipments["rows"] = {"column": text, "starting_with": text, "not_starting_with": f"{text}x"}
    shipments["line_id"] = text
    shipments["columns"]["product_id"] = {"column": "sku", "map": {text: "A", "other": text}}
    spec["sources"]["products"][0]["columns"]["product_id"] = {"column": "sku", "default": text}
    spec["sources"]["stores"][0]["columns"]["place"] = {"value": text}
    spec["stations"] = {text: [1.5, -2.5]}
    spec["regions"] = {text: "north"}
    (shop / "corner_shop.yaml").write_text(yaml.safe_dump(spec))
    provider = load_provider(str(shop / "corner_shop.yaml"))
    row = ",".join('"' + value.replace('"', '""') + '"' for value in (text, text, "1", "2022-05-02", "12"))
    header = ",".join('"' + value.replace('"', '""') + '"' for value in (text, "sku", "id", "week", "units"))
    (shop / "shipments" / "2022-05-02.csv").write_text(f"{header}\n{row}\n")
    assert taken(provider, shop) == [12]


def test_a_file_name_is_no_pattern_over_other_files(shop: Path) -> None:
    """`s[1].csv` was read as a pattern: the rows of `s1.csv` came instead of its own."""
    (shop / "shipments" / "2022-05-0[2].csv").write_text("id,sku,week,units\n1,A,2022-05-02,77\n")
    assert taken(load_provider(str(shop / "corner_shop.yaml")), shop, "2022-05-0[2].csv") == [77]


@pytest.mark.parametrize("name", ["s.jsonl", "s.jsonl.gz", "s.JSONL.GZ"])
def test_json_lines_are_read_plain_and_compressed(shop: Path, name: str) -> None:
    path = written(shop, 'shipments/*.csv"\n      format: csv', f'shipments/{name}"\n      format: jsonl')
    lines = b'{"id": 1, "sku": "A", "week": "2022-05-02", "units": 77}\n'
    (shop / "shipments" / name).write_bytes(gzip.compress(lines) if name.lower().endswith(".gz") else lines)
    assert taken(load_provider(str(path)), shop, name) == [77]


def test_a_folder_name_is_no_column(shop: Path) -> None:
    (shop / "shipments" / "week=2022-05-16").mkdir()
    (shop / "shipments" / "week=2022-05-16" / "s.csv").write_text("id,sku,week,units\n1,A,2022-05-02,77\n")
    assert taken(load_provider(str(shop / "corner_shop.yaml")), shop, "week=2022-05-16/s.csv") == [77]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: corner_shop", "name: ../../x", r"line 2, key name: .*should match pattern"),
        ("name: corner_shop", "name: a/b", r"line 2, key name: .*should match pattern"),
        ("files: stores.csv", "files: ../stores.csv", r"line 6, key sources\.stores\.0\.files: expected a pattern within the provider's landing folder"),
        ("files: stores.csv", "files: /etc/*.csv", r"line 6, key sources\.stores\.0\.files: expected a pattern within the provider's landing folder"),
        ("files: stores.csv", "files: a/../../b", r"line 6, key sources\.stores\.0\.files: expected a pattern within"),
        ("files: stores.csv", 'files: ""', r"line 6, key sources\.stores\.0\.files: expected a pattern within"),
        ("files: stores.csv", "files: a**.csv", r"line 6, key sources\.stores\.0\.files: expected a pattern within"),
        ("store_id: id", "store_id: No", r'line 8, key sources\.stores\.0\.columns\.store_id: expected a text, came No, which YAML reads as true or false. If a text is meant, quote it: "No"'),
        ("column: kind,", "column: kind, map: {No: large},", r'line 8, key .*map.*: expected a text, came No, which YAML reads as true or false'),
        ("week: week", "week: {column: week, date_format: '%Q'}", r"line 16, key sources\.shipments\.0\.columns\.week\.date_format: expected a strptime format like %m/%d/%Y, came '%Q'"),
        ("known_at: reported", "known_at: {column: reported, timezone: Central}", r"line 20, key .*\.timezone: expected a time zone like America/Chicago, came 'Central'"),
        ("price: price", "price: {value: cheap}", r"line 12, key sources\.products\.0\.columns\.price\.value: expected a number for 'price', came 'cheap'"),
        ("price: price", "price: {value: .inf}", r"line 12, key .*: Input should be .*"),
        ("price: price", "price: {value: '1', fraction_of: case_pack}", r"line 12, key .*price\.fraction_of: expected a number as 'value'"),
        ("price: price", "price: {value: 1, fraction_of: product_id}", r"line 12, key .*price\.fraction_of: expected a number as 'value'"),
        ("price: price", "price: price, price: pack", r"line 12, key .*columns\.price: the key stands in line 12 already"),
        ("description: A", 'description: "\\0" #', r"line 3, key description: expected text, came"),
        ("description: A", 'description: "\\ud800" #', r"line 3, key description: expected text, came"),
        ("description: A", "description: !!python/name:os.system x #", r"line 3, key description: expected plain keys, texts and numbers, came the tag"),
        ("description: A", "description: 2024-13-45 #", r"is not YAML: month must be in 1..12. If it is meant as a text, put it in quotes"),
        ("description: A", "description: [", r"line \d+ is not YAML: "),
        ("description: A", "description: " + "[" * 5000 + " #", r"expected at most 30 levels|is not YAML"),
        ("description: A", "description: " + "[" * 40 + "]" * 40 + " #", r"line 3, key description.*: expected at most 30 levels"),
        ("description: A", "description: &a [*a] #", r"line 3.*: expected at most 30 levels"),
        ("description: A", "description: \x07", r"line 3: expected text, came a control character"),
    ],
)  # fmt: skip
def test_a_fault_of_a_provider_file_is_told_with_file_line_and_key(shop: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as error:
        load_provider(str(written(shop, old, new)))
    assert str(error.value).startswith("Provider file corner_shop.yaml")


@pytest.mark.parametrize(
    "content", [b"", b"- a\n- b\n", b"just words", b"\xff\xfe\x00n", b"name: caf\xe9\n", b"PK\x03\x04" + bytes(99), b"a: " + b"x" * 2_000_000]
)
@pytest.mark.parametrize("name", ["provider.yaml", "shelfcast.yaml"])
def test_what_is_no_yaml_at_all_is_told_in_a_sentence(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"^(Provider|Project) file {name}"):
        _ = load_provider(str(tmp_path / name)) if name == "provider.yaml" else Project.load(tmp_path)


def test_a_folder_or_an_unknown_name_in_place_of_a_provider_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").mkdir()
    with pytest.raises(ConfigurationError, match=r"^Provider file x.yaml cannot be read: Is a directory"):
        load_provider(str(tmp_path / "x.yaml"))
    with pytest.raises(ConfigurationError, match=r"^There is no provider '../providers/sample'"):
        load_provider("../providers/sample")


def test_a_billion_laughs_are_told_apart_from_a_provider(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(ConfigurationError, match=r"^Provider file bomb.yaml, line \d+, key .*: expected at most 30 levels and 100,000 values"):
        load_provider(str(tmp_path / "bomb.yaml"))


GARBAGE = st.one_of(
    st.sampled_from([*"{}[]:,&*!|>'\"%@`#-?\t\n", "!!int ", "!!timestamp ", "<<: ", "? ", "---\n", "...", "*x", "&x "]), st.text(max_size=4)
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1), st.integers(0, 12), GARBAGE)
def test_a_garbled_provider_file_never_ends_in_a_traceback(shop: Path, at: float, length: int, new: str) -> None:
    text, path = (shop / "corner_shop.yaml").read_text(), shop / "garbled.yaml"
    start = int(at * len(text))
    path.write_text(text[:start] + new + text[start + length :], encoding="utf-8", errors="surrogatepass")
    with suppress(ConfigurationError):
        load_provider(str(path))


def test_a_garbled_project_file_ends_a_command_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "shelfcast.yaml").write_text("provider: sample\nhorizons: many\n")
    done = CliRunner().invoke(app, ["status", "--root", str(tmp_path)])
    assert done.exit_code == 1
    assert "Project file shelfcast.yaml breaks the rules: line 2, key horizons: Input should be a valid integer" in done.output
    assert "Traceback" not in done.output


TEXT_KEYS: dict[str, tuple[str | int, ...]] = {
    **{f"shipments.{key}": ("sources", "shipments", 0, key) for key in ("files", "encoding", "sheet", "line_id", "delimiter", "duplicates")},
    **{f"rows.{key}": ("sources", "shipments", 0, "rows", key) for key in ("column", "starting_with", "not_starting_with")},
    **{
        f"week.{key}": ("sources", "shipments", 0, "columns", "week", key) for key in ("column", "date_format", "timezone", "calendar", "week_starts")
    },
    **{f"product_id.{key}": ("sources", "shipments", 0, "columns", "product_id", key) for key in ("column", "default", "clean")},
    "product_id.map.X": ("sources", "shipments", 0, "columns", "product_id", "map", "X"),
    **{
        f"price.{key}": ("sources", "products", 0, "columns", "price", key)
        for key in ("column", "decimal", "grouping", "unit", "negative", "default")
    },
    "margin.fraction_of": ("sources", "products", 0, "columns", "margin", "fraction_of"),
    "place.value": ("sources", "stores", 0, "columns", "place", "value"),
    "regions.X": ("regions", "X"),
    "counted": ("sources", "shipments", 0, "counted", 0),
    "affixes": ("sources", "products", 0, "columns", "price", "affixes", 0),
    "name": ("name",),
}
"""Every key of a provider file that holds a text, and where it stands."""


def with_text(spec: dict[str, Any], at: tuple[str | int, ...], text: str) -> dict[str, Any]:
    """The provider with a text at one key; what the key needs beside it is made."""
    spec["sources"]["shipments"][0]["columns"]["week"] = {"column": "week"}
    spec["sources"]["shipments"][0]["columns"]["product_id"] = {"column": "sku", "map": {"X": "B"}}
    spec["sources"]["shipments"][0] |= {"rows": {"column": "sku"}, "counted": ["s.csv"]}
    spec["sources"]["products"][0]["columns"] |= {"price": {"column": "price", "affixes": ["USD"]}, "margin": {"value": 0.3, "fraction_of": "price"}}
    spec["sources"]["stores"][0]["columns"]["place"] = {"value": "Dallas"}
    spec["regions"] = {"X": "north"}
    node: Any = spec
    for part in at[:-1]:
        node = node[part]
    node[at[-1]] = text
    return spec


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(sorted(TEXT_KEYS)), text=TEXT | st.sampled_from(HOSTILE))
@example(key="margin.fraction_of", text='price" + (select 1) + "price')
@example(key="week.calendar", text="../../etc/passwd")
@example(key="shipments.files", text="../*.csv")
def test_any_text_at_any_key_is_a_value_or_told_in_a_sentence(shop: Path, key: str, text: str) -> None:
    """No text of a provider file becomes SQL, a path outside or a traceback: the file is read, refused, or the YAML is explained."""
    original = (shop / "original.yaml") if (shop / "original.yaml").exists() else (shop / "corner_shop.yaml").rename(shop / "original.yaml")
    spec = with_text(yaml.safe_load(original.read_text()), TEXT_KEYS[key], text)
    (shop / "corner_shop.yaml").write_text(yaml.safe_dump(spec, allow_unicode=True), encoding="utf-8")
    try:
        provider = load_provider(str(shop / "corner_shop.yaml"))
        for read in provider.sources["shipments"]:
            assert all(path.resolve().is_relative_to(shop) for path in shop.glob(read.files))
        taken(provider, shop)
        told = ""
    except (ConfigurationError, LandingFileRefused) as error:
        told = str(error)
    assert not told or re.match(r"Provider file corner_shop\.yaml(, line| breaks the rules: line) \d+|(2022-05-02|products|stores)\.csv", told), told


@pytest.mark.parametrize("name", ["a" * 5000 + ".yaml", "/".join(["folder"] * 1000) + "/p.yaml", "b" * 5000])
def test_a_path_that_no_disk_can_hold_is_told_in_a_short_sentence(name: str) -> None:
    """It ended in a traceback of the operating system."""
    with pytest.raises(ConfigurationError, match=r"(cannot be looked for: File name too long|There is no provider)") as found:
        load_provider(name)
    assert len(str(found.value)) < 500
