"""Files as they come, small inputs built after public bug reports: each is taken in whole, or told with file, row or value and what to do."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from transforms.adapters import ProviderSpec, load_provider
from transforms.calendar import blocks_of
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.landing import Registration, drop, folder, ingest, ingest_reference, noticed_files, pending, refused_files, register

CASES = Path(__file__).resolve().parents[2] / "cases"
NOW = datetime(2024, 12, 1, tzinfo=UTC)
SHIPMENTS = 72
MEASUREMENTS = (("tmin_c", "lo"), ("tmax_c", "hi"), ("precip_mm", "rain"))


@dataclass(frozen=True)
class Taken:
    """What a lake holds after a case was taken in, and what was told."""

    lake: Lake
    provider: ProviderSpec
    found: Registration
    left_out: list[str]

    def rows(self, table: str, where: str = "true") -> list[dict[str, Any]]:
        return self.lake.read(f"bronze/{table}", where=where).to_pylist() if self.lake.exists(f"bronze/{table}") else []

    @property
    def refused(self) -> dict[str, str]:
        """Messages by file, as the command tells them; `status` tells the same."""
        told = {notice.source_file: notice.message for notice in self.found.refused}
        assert told == {notice.source_file: notice.message for notice in refused_files(self.lake, self.provider)}
        return told

    @property
    def noticed(self) -> dict[str, str]:
        told = {notice.source_file: notice.message for notice in self.found.noticed}
        assert told == {notice.source_file: notice.message for notice in noticed_files(self.lake, self.provider)}
        return told

    @property
    def quarantined(self) -> list[tuple[str, int, str, bool]]:
        """File, row, message and whether the row counts without the value."""
        rows = sorted(self.rows("quarantine"), key=lambda row: (row["source_file"], row["row"]))
        return [(row["source_file"], row["row"], row["message"], row["kept"]) for row in rows]


TakeCase = Callable[..., Taken]


@pytest.fixture
def take(tmp_path: Path) -> TakeCase:
    """Take in a case by its number; further arguments are pairs of a text of its YAML and what is to stand there instead."""

    def take(number: str, *replaced: tuple[str, str], drops: Path | None = None) -> Taken:
        yaml = tmp_path / "provider.yaml"
        text = (CASES / number / "provider.yaml").read_text()
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        yaml.write_text(text)
        lake, provider = Lake(str(tmp_path / "lake")), load_provider(str(yaml))
        left_out = drop(lake, provider, drops or CASES / number / "drops").left_out
        found = register(lake, provider, NOW)
        ingest_reference(lake, provider)
        ingest(lake, provider, blocks_of(pending(lake, provider)))
        return Taken(lake, provider, found, left_out)

    return take


def is_whole(taken: Taken) -> bool:
    """All 72 shipments and nothing to correct."""
    return (len(taken.rows("shipments")), taken.refused, taken.quarantined) == (SHIPMENTS, {}, [])


def test_01_a_second_header_with_one_more_column_refuses_the_file(take: TakeCase) -> None:
    """18 of 72 rows were taken without a word."""
    taken = take("01")
    assert taken.rows("shipments") == []
    assert "row 55: a second header, of 5 columns" in taken.refused["shipments/s.csv"]


def test_02_lines_that_begin_with_a_number_sign_are_rows(take: TakeCase) -> None:
    taken = take("02")
    assert [row["store_id"] for row in taken.rows("stores")] == ["#101", "#102", "201"]
    assert is_whole(taken)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("04", id="04_a_workbook_without_extent_and_with_rows_of_unequal_length"),
        pytest.param("08", id="08_blank_rows_with_a_format_below_the_data"),
        pytest.param("25", id="25_a_column_called_row"),
        pytest.param("26", id="26_a_quote_in_a_row_filter"),
        pytest.param("29", id="29_two_kinds_of_line_ends"),
        pytest.param("32", id="32_dates_and_texts_in_one_column_of_a_workbook"),
    ],
)
def test_all_72_rows_are_taken_in(take: TakeCase, number: str) -> None:
    assert is_whole(take(number))


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_05_two_columns_of_one_name_are_refused_with_both_positions(take: TakeCase, tmp_path: Path, kind: str) -> None:
    if kind == "xlsx":
        message = take("05").refused["shipments/s.xlsx"]
    else:
        taken = take("02")
        path = folder(taken.lake, taken.provider) / "shipments" / "s.csv"
        path.write_text("id,sku,week,units,units\n201,A,2024-05-06,12,13\n")
        message = register(taken.lake, taken.provider, NOW).refused[0].message
    assert "columns 4 and 5 are both called 'units'" in message


def test_06_a_lock_file_beside_a_workbook_is_told_and_stops_nothing(take: TakeCase) -> None:
    taken = take("06")
    assert is_whole(taken)
    assert len(taken.left_out) == 1
    assert taken.left_out[0].startswith("shipments/~$s.xlsx was not copied: it is what a program leaves beside a file that is open")


def test_07_a_sheet_that_is_not_there_refuses_that_file_and_names_those_there_are(take: TakeCase) -> None:
    taken = take("07")
    assert len(taken.rows("stores")) == 3
    assert "expected a sheet 'Data', came ['Sheet']" in taken.refused["shipments/s.xlsx"]


def test_09_the_visible_sheet_is_read_and_not_a_hidden_one_before_it(take: TakeCase) -> None:
    taken = take("09")
    assert is_whole(taken)
    assert {row["week"].year for row in taken.rows("shipments")} == {2024}


def test_10_a_point_where_a_comma_is_declared_is_no_other_number(take: TakeCase) -> None:
    """12.50 was 1250; and a product whose price nobody can read takes none of its deliveries along."""
    taken = take("10")
    shipped = {(row["store_id"], row["product_id"]): row["units_shipped"] for row in taken.rows("shipments")}
    assert shipped == {("201", "C"): 1200, ("102", "B"): 24}
    assert {row["product_id"]: row["price"] for row in taken.rows("products")} == {"A": 2.5, "B": None, "C": 1250.0}
    told = [(file, row, message.split(": ")[1].split(".  ")[0], kept) for file, row, message, kept in taken.quarantined]
    assert [(file, row, kept) for file, row, _, kept in told] == [
        ("products.csv", 2, True),
        ("shipments/s.csv", 1, False),
        ("shipments/s.csv", 4, False),
    ]
    assert "came 12.50. The row is taken in without it" in told[0][2]
    assert "came 12.0." in told[1][2]
    [products] = [row for row in taken.rows("landing_files") if row["source"] == "products"]
    assert (products["rows_read"], products["rows_taken"], products["rows_quarantined"]) == (3, 3, 0)
    assert "column price: expected a number, came 12.50" in taken.noticed["products.csv"]
    assert "2 of its 4 rows wait in quarantine" in taken.noticed["shipments/s.csv"]


def test_11_a_fraction_is_one_of_the_contracts_price_and_not_of_the_files_own_column(take: TakeCase) -> None:
    margins = {row["product_id"]: row["margin"] for row in take("11").rows("products")}
    assert margins == {"A": 0.75, "B": 3.75, "C": 0.9}


def test_13_weeks_from_sunday_without_a_word_are_refused_with_the_key_to_set(take: TakeCase) -> None:
    """They were put a week too early, and known before they had ended."""
    message = take("13").refused["shipments/s.csv"]
    assert "came 8 dates that are Sundays throughout" in message
    assert "'week_starts: sunday'" in message


def test_13_weeks_from_sunday_belong_to_the_monday_after_and_are_known_at_their_own_end(take: TakeCase) -> None:
    taken = take("13", ("clean: week", "week_starts: sunday"))
    assert is_whole(taken)
    first = min(taken.rows("shipments"), key=lambda row: row["week"])
    assert (first["week"], first["known_at"]) == (date(2024, 5, 6), datetime(2024, 5, 12, tzinfo=UTC))


def test_13_a_delivery_every_sunday_is_one_of_its_own_week(take: TakeCase) -> None:
    taken = take("13", ("clean: week", "clean: week, weekday: sunday"))
    assert is_whole(taken)
    assert min(row["week"] for row in taken.rows("shipments")) == date(2024, 4, 29)


def test_14_weather_of_another_unit_is_told_with_the_units_there_are(take: TakeCase) -> None:
    """Tenths of a degree gave Dallas 55 degrees at noon, day for day."""
    message = take("14").noticed["w.csv"]
    assert "tmax_c at Columbus has a median of 55 degC over 21 days (2 places are like that): expected -55 to 50 degC" in message
    assert "'unit: fahrenheit' or 'tenth' or 'tenth_fahrenheit'" in message
    assert "precip_mm at Columbus has a median of 127 mm" in message


def test_14_weather_with_its_unit_is_taken_in_without_a_word(take: TakeCase) -> None:
    declared = [(f"{name}: {column}", f"{name}: {{column: {column}, unit: tenth}}") for name, column in MEASUREMENTS]
    taken = take("14", *declared)
    assert taken.noticed == {}
    assert {(row["tmin_c"], row["tmax_c"], row["precip_mm"]) for row in taken.rows("weather_observed")} == {(-2.2, 5.5, 12.7)}


def test_14_weather_of_places_that_serve_no_store_is_told_also_when_all_of_it_is(take: TakeCase) -> None:
    taken = take("14", ("place: city", "place: {column: city, map: {Dallas: DFW, Columbus: CMH}}"))
    assert taken.rows("weather_observed") == []
    assert "places like Columbus, Dallas; none of its rows is of one: it names 2 places that serve no store, like CMH, DFW" in taken.noticed["w.csv"]


def test_14_weather_that_served_no_store_comes_with_its_first_store(take: TakeCase) -> None:
    """It had been left aside for ever: its file had nothing in quarantine and was not looked at again."""
    taken = take("14")
    top = folder(taken.lake, taken.provider)
    (top / "w.csv").write_text((top / "w.csv").read_text().replace("Columbus", "Austin"))
    register(taken.lake, taken.provider, NOW)
    assert "it names 1 place that serves no store, like Austin" in noticed_files(taken.lake, taken.provider)[0].message
    (top / "stores.csv").write_text((top / "stores.csv").read_text() + "103,North Texas,LARGE,Austin\n")
    register(taken.lake, taken.provider, NOW)
    ingest(taken.lake, taken.provider, blocks_of(pending(taken.lake, taken.provider)))
    assert {row["place"] for row in taken.rows("weather_observed")} == {"Austin", "Dallas"}


def test_17_zips_without_demographics_are_told_with_examples(take: TakeCase) -> None:
    message = take("17").noticed["demo.csv"]
    assert message.startswith("1 of the 3 ZIPs of stores is in it: it lacks 2134, 75201-1234, and holds ZIPs like 02134, 43004, 75201.")
    assert "'width: 5'" in message


def test_17_a_declared_width_brings_zeros_back_and_cuts_zip_4(take: TakeCase) -> None:
    taken = take("17", ("zip: zip}", "zip: {column: zip, width: 5}}"))
    assert [row["zip"] for row in taken.rows("stores")] == ["02134", "75201", "43004"]
    assert taken.noticed == {}


def test_17_no_zip_that_matches_is_told_too_and_no_longer_once_the_stores_are_corrected(take: TakeCase) -> None:
    taken = take("17")
    stores = folder(taken.lake, taken.provider) / "stores.csv"
    good = stores.read_text().replace("2134", "02134").replace("75201-1234", "75201")
    stores.write_text(stores.read_text().replace("43004", "4E+04x"))
    register(taken.lake, taken.provider, NOW)
    [notice] = noticed_files(taken.lake, taken.provider)
    assert notice.message.startswith("None of the 3 ZIPs of stores is in it")
    stores.write_text(good)
    register(taken.lake, taken.provider, NOW)
    assert noticed_files(taken.lake, taken.provider) == []


def test_18_windows_text_is_readable(take: TakeCase) -> None:
    assert [row["name"] for row in take("18").rows("stores")] == ["Joe\u2019s Café", "Plain", "Ann\u2019s"]


def test_18_latin_1_is_readable(take: TakeCase) -> None:
    taken = take("18b")
    assert is_whole(taken)
    assert taken.rows("stores")[0]["name"].endswith("Café")


def test_18_another_encoding_is_refused_with_those_there_are(take: TakeCase) -> None:
    message = take("18", ("encoding: cp1252", "encoding: utf-8")).refused["stores.csv"]
    assert "line 2: expected utf-8, came the byte 0x92" in message
    assert "cp1252" in message


def test_20_a_promotion_that_ends_before_it_starts_waits_and_one_of_an_unknown_product_is_told(take: TakeCase) -> None:
    taken = take("20")
    assert [(row["event"], row["product_id"]) for row in taken.rows("events")] == [("Unknown", "ZZZ")]
    [(file, row, message, kept)] = taken.quarantined
    assert (file, row, kept) == ("promo.csv", 1, False)
    assert "column end_date: expected a last day that is not before the first, came 2024-06-20" in message
    assert "1 of its 1 events is of a product that is in no list, like ZZZ" in taken.noticed["promo.csv"]


def test_20_a_promotion_without_end_counts_some_years_and_is_told(take: TakeCase) -> None:
    """Four of them made 11 million days."""
    taken = take("20b")
    assert {row["end_date"] for row in taken.rows("events")} == {date(2029, 12, 31)}
    assert "4 of its events end after 2029-12-31 (the first on 9999-12-31): they count up to that day." in taken.noticed["promo.csv"]


def test_21_a_column_called_no_is_told_with_line_and_key(take: TakeCase) -> None:
    with pytest.raises(ConfigurationError) as told:
        take("21")
    assert str(told.value) == (
        "Provider file provider.yaml breaks the rules: line 7, key sources.stores.0.columns.store_id: expected a text, came No, which YAML reads as "
        'true or false. If a text is meant, quote it: "No".'
    )


def test_24_a_number_as_constant_is_a_store(take: TakeCase) -> None:
    assert [row["store_id"] for row in take("24").rows("shipments")] == ["101", "101"]


def test_30_a_corrected_file_under_another_name_is_held_and_told(take: TakeCase) -> None:
    taken = take("30")
    assert sum(row["units_shipped"] for row in taken.rows("shipments")) == 36
    assert "held, since its files add up" in taken.refused["shipments/2024-06-03 corrected.csv"]


@pytest.mark.parametrize(
    ("number", "key", "value"),
    [("31", "known_at.timezone", "'Central'"), ("31b", "week.date_format", "'%Q'")],
)
def test_31_a_wrong_setting_is_one_sentence_and_what_stood_stays(take: TakeCase, tmp_path: Path, number: str, key: str, value: str) -> None:
    taken = take("29")
    with pytest.raises(ConfigurationError) as told:
        load_provider(str(CASES / number / "provider.yaml"))
    assert f"line 15, key sources.shipments.0.columns.{key}: expected" in str(told.value)
    assert f"came {value}" in str(told.value)
    assert "\n" not in str(told.value)
    assert is_whole(taken)


def test_35_dates_of_json_lines_are_read_as_declared(take: TakeCase) -> None:
    weeks = {row["week"] for row in take("35b").rows("shipments")}
    assert date(2024, 6, 3) in weeks


def test_38_a_folder_that_looks_like_a_column_is_none(take: TakeCase) -> None:
    assert {row["week"] for row in take("38").rows("shipments")} == {date(2024, 6, 3)}


def test_39_a_folder_with_the_name_of_a_file_is_told_and_stops_nothing(take: TakeCase) -> None:
    taken = take("39")
    assert is_whole(taken)
    assert taken.left_out == [
        "shipments/out.csv was not copied: expected a file, came a folder. Put a file there, or name other files under 'files' in the provider YAML."
    ]


def test_39_the_parts_of_such_a_folder_are_taken_in_by_a_pattern_for_them(take: TakeCase) -> None:
    taken = take("39", ('files: "shipments/*.csv"', 'files: "shipments/out.csv/*.csv"'))
    assert [row["units_shipped"] for row in taken.rows("shipments")] == [12]


@pytest.mark.parametrize("word", ["#N/A", "n/a", "-", "NULL", "#REF!"])
def test_a_word_for_nothing_is_no_region_and_no_product(take: TakeCase, word: str) -> None:
    """A region called n_a came about, with a model of its own."""
    taken = take("29")
    top = folder(taken.lake, taken.provider)
    (top / "stores.csv").write_text((top / "stores.csv").read_text() + f"301,{word},LARGE,Dallas\n")
    (top / "shipments" / "t.csv").write_text(f"id,sku,week,units\n101,{word},2024-06-03,6\n101,A,2024-07-08,6\n")
    register(taken.lake, taken.provider, NOW)
    ingest_reference(taken.lake, taken.provider)
    assert {row["region"] for row in taken.rows("stores")} == {"north_texas", "ohio"}
    assert [(file, f"came {word}." in message) for file, _, message, _ in taken.quarantined] == [("shipments/t.csv", True), ("stores.csv", True)]


def test_a_list_of_stores_that_is_cut_off_takes_nothing_away(take: TakeCase) -> None:
    taken = take("29")
    stores = folder(taken.lake, taken.provider) / "stores.csv"
    lines = stores.read_text().splitlines()
    stores.write_text("\n".join([lines[0], lines[1], lines[3]]) + "\n")
    found = register(taken.lake, taken.provider, NOW)
    ingest_reference(taken.lake, taken.provider)
    ingest(taken.lake, taken.provider, blocks_of(pending(taken.lake, taken.provider)))
    assert len(taken.rows("shipments")) == SHIPMENTS
    assert "Store 102 is no longer in the list of stores" in found.noticed[0].message


def test_a_calendar_is_dropped_with_the_files_and_what_changes_in_it_is_read_again(take: TakeCase, tmp_path: Path) -> None:
    """Retail weeks from Sunday on, first named from 5 May, then a week later."""
    shutil.copytree(CASES / "29" / "drops", tmp_path / "drops")
    (tmp_path / "drops" / "shipments" / "s.csv").write_text("id,sku,week,units\n101,A,P04-W1,12\n")
    (tmp_path / "drops" / "retail.csv").write_text("period,first_day\nP04-W1,2024-05-05\n")
    taken = take("29", ("week: week", "week: {column: week, calendar: retail.csv}"), drops=tmp_path / "drops")
    assert [row["week"] for row in taken.rows("shipments")] == [date(2024, 5, 6)]
    (folder(taken.lake, taken.provider) / "retail.csv").write_text("period,first_day\nP04-W1,2024-05-12\n")
    register(taken.lake, taken.provider, NOW)
    ingest(taken.lake, taken.provider, blocks_of(pending(taken.lake, taken.provider)))
    assert [row["week"] for row in taken.rows("shipments")] == [date(2024, 5, 13)]


def test_fractions_of_goods_sold_by_weight_are_told_their_unit_and_read_with_it(take: TakeCase, tmp_path: Path) -> None:
    shutil.copytree(CASES / "29" / "drops", tmp_path / "drops")
    (tmp_path / "drops" / "shipments" / "s.csv").write_text("id,sku,week,units\n101,A,2024-06-03,1.25\n")
    assert "goods that are sold by weight count in grams by 'unit: kilogram'" in take("29", drops=tmp_path / "drops").refused["shipments/s.csv"]
    taken = take("29", ("units_shipped: units", "units_shipped: {column: units, unit: kilogram}"), drops=tmp_path / "drops")
    assert [row["units_shipped"] for row in taken.rows("shipments")] == [1250]


NET = """
  returns:
    - files: "shipments/*.csv"
      format: csv
      rows: {column: units, starting_with: "-"}
      net_to_last_delivery: true
      columns: {store_id: id, product_id: sku, week: week, units_returned: {column: units, negate: true}}
"""


def test_negative_weeks_of_net_sales_are_returns_of_the_delivery_before_known_at_their_own_end(take: TakeCase, tmp_path: Path) -> None:
    """They waited in quarantine, or were netted within their own week, which then counted as 0; and were known with the week that they were moved to."""
    shutil.copytree(CASES / "29" / "drops", tmp_path / "drops")
    shipments = tmp_path / "drops" / "shipments"
    (shipments / "s.csv").unlink()
    for week, units in (("2024-05-06", 12), ("2024-05-13", 6), ("2024-06-03", -5)):
        (shipments / f"{week}.csv").write_text(f"id,sku,week,units\n101,A,{week},{units}\n101,B,{week},6\n")
    columns = "format: csv\n      columns: {store_id: id, product_id: sku, week"
    net = (
        (columns, columns.replace("columns", 'rows: {column: units, not_starting_with: "-"}\n      columns')),
        ("units_shipped: units}", "units_shipped: units}" + NET),
    )
    taken = take("29", *net, drops=tmp_path / "drops")
    assert taken.quarantined == []
    [returned] = taken.rows("returns")
    assert (returned["week"], returned["units_returned"], returned["known_at"]) == (date(2024, 5, 13), 5, datetime(2024, 6, 10, tzinfo=UTC))
    assert len(taken.rows("shipments")) == 5
