"""Weeks as providers name them: the Monday is the one that most of their days lie in, and nothing is known before the provider's own week has ended."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transforms.adapters import ProviderSpec, References, load_provider, read_file
from transforms.adapters.expressions import CELL
from transforms.adapters.moments import WEEKDAYS, has_offset, parsed_moment
from transforms.adapters.spec import ColumnSpec, FileSpec
from transforms.calendar import Week
from transforms.errors import ConfigurationError, LandingFileRefused
from transforms.lake.database import literal, open_database

NOW = datetime(2031, 1, 1, tzinfo=UTC)
DAYS = st.dates(date(1990, 1, 1), date(2030, 12, 1))
REFERENCES = References(
    pa.table({"store_id": ["1"], "region": ["ohio"], "place": ["Dallas"]}), pa.table({"product_id": ["A"], "valid_from": [None], "case_pack": [6]})
)
COLUMNS = "{store_id: id, product_id: sku, week: week, units_shipped: units}"


def declared(shop: Path, week: str, more: str = "") -> ProviderSpec:
    """The small provider with weeks of shipments as declared."""
    path = shop / "corner_shop.yaml"
    text = (shop / "as_it_was.yaml").read_text() if (shop / "as_it_was.yaml").exists() else path.read_text()
    (shop / "as_it_was.yaml").write_text(text)
    path.write_text(text.replace(COLUMNS, COLUMNS.replace("week: week", f"week: {week}{more}")))
    return load_provider(str(path))


def taken(provider: ProviderSpec, shop: Path, *weeks: str) -> list[dict[str, Any]]:
    """Rows of a file of shipments that names these weeks."""
    path = shop / "shipments" / "2022-05-02.csv"
    path.write_text("id,sku,week,units\n" + "".join(f"1,A,{week},{units}\n" for units, week in enumerate(weeks, start=1)))
    found = read_file(provider, "shipments", provider.sources["shipments"][0], path, "shipments/2022-05-02.csv", REFERENCES, NOW)
    return sorted(found.rows.to_pylist(), key=lambda row: int(row["units_shipped"]))


def monday_of_most(first: date) -> date:
    """The obvious way: count the days."""
    [(monday, _)] = Counter(Week.containing(first + timedelta(days=day)).monday for day in range(7)).most_common(1)
    return monday


def first_day(weekday: str, day: date) -> date:
    """The first day on or after `day` that is such a weekday."""
    return day + timedelta(days=(WEEKDAYS.index(weekday) - day.weekday()) % 7)


CALENDAR_DAYS = [date(2024, 2, 4) + timedelta(weeks=n) for n in range(12)]


def calendar(shop: Path, *days: date) -> None:
    (shop / "calendars").mkdir(exist_ok=True)
    rows = "".join(f"2024-P{n // 4 + 1:02}-W{n % 4 + 1},{day}\n" for n, day in enumerate(days))
    (shop / "calendars" / "retail.csv").write_text(f"period,first_day\n{rows}")


@pytest.mark.parametrize("key", ["week_starts", "week_ends"])
@pytest.mark.parametrize("weekday", WEEKDAYS)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(day=DAYS)
def test_a_week_belongs_to_the_monday_of_most_of_its_days_and_is_known_at_its_own_end(shop: Path, key: str, weekday: str, day: date) -> None:
    """A week from Thursday on was known three days before it had ended."""
    named = first_day(weekday, day)
    first = named if key == "week_starts" else named - timedelta(days=6)
    [row] = taken(declared(shop, f"{{column: week, {key}: {weekday}}}"), shop, named.isoformat())
    assert row["week"] == monday_of_most(first)
    assert row["known_at"] == datetime.combine(first + timedelta(days=7), datetime.min.time(), UTC)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(day=DAYS)
def test_iso_weeks_and_single_days_belong_to_their_own_monday(shop: Path, day: date) -> None:
    monday = Week.containing(day)
    for week, written in (
        ("{column: week, date_format: iso_week}", f"{day.isocalendar().year}-W{day.isocalendar().week:02}"),
        ("{column: week, clean: week}", day.isoformat()),
        ("{column: week, date_format: serial, clean: week}", str((day - date(1899, 12, 30)).days)),
        ('{column: week, date_format: "%d.%m.%Y", clean: week}', f"{day:%d.%m.}{day.year:04}"),
    ):
        [row] = taken(declared(shop, week), shop, written)
        assert (row["week"], row["known_at"]) == (monday.monday, monday.end.replace(tzinfo=UTC))


def test_periods_of_a_calendar_file_belong_to_the_monday_of_most_of_their_days(shop: Path) -> None:
    calendar(shop, *CALENDAR_DAYS)
    rows = taken(declared(shop, "{column: week, calendar: calendars/retail.csv}"), shop, "2024-P01-W1", "2024-P03-W2")
    assert [(row["week"], row["known_at"].date()) for row in rows] == [(date(2024, 2, 5), date(2024, 2, 11)), (date(2024, 4, 8), date(2024, 4, 14))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the calendar calendars/retail.csv is not in the landing folder"),
        ("period,first_day\nP1,2024-02-04\nP2,soon\n", "row 2: expected a period and its first_day as YYYY-MM-DD"),
        ("period,first_day\nP1,2024-02-04\nP1,2024-02-11\n", "row 2: expected a period and its first_day as YYYY-MM-DD, each period once"),
        ("period,first_day\nP1,2024-02-04\nP2,2024-02-06\n", "expected periods that begin at least a week apart"),
        ("period,first_day\nP1,2024-02-04\nP2,2024-03-03\n", "expected weeks, came periods of 28 days"),
        ("", "expected periods that begin at least a week apart, came 0"),
    ],
)
def test_a_calendar_that_does_not_do_refuses_the_file_that_needs_it(shop: Path, content: str | None, message: str) -> None:
    provider = declared(shop, "{column: week, calendar: calendars/retail.csv}")
    if content is not None:
        (shop / "calendars").mkdir()
        (shop / "calendars" / "retail.csv").write_text(content)
    with pytest.raises(LandingFileRefused, match=message):
        taken(provider, shop, "P1")


@pytest.mark.parametrize("path", ["../retail.csv", "/etc/hostname", "a/../../b.csv"])
def test_a_calendar_outside_of_the_landing_folder_is_told_with_line_and_key(shop: Path, path: str) -> None:
    with pytest.raises(ConfigurationError, match=r"columns\.week\.calendar: expected a file within the provider's landing folder"):
        declared(shop, f"{{column: week, calendar: {path}}}")


def test_a_link_to_a_calendar_outside_of_the_landing_folder_is_not_followed(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.csv").write_text("period,first_day\nP1,2024-02-04\n")
    (shop / "retail.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(LandingFileRefused, match="is not in the landing folder"):
        taken(declared(shop, "{column: week, calendar: retail.csv}"), shop, "P1")


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Chicago", "UTC"])
def test_deliveries_are_not_known_before_their_week_has_ended_whatever_the_time_zone_of_its_date(shop: Path, zone: str) -> None:
    """A Monday in Tokyo is a Sunday in UTC: the week was known at the origin before it."""
    provider = declared(shop, "week", f", known_at: {{column: week, timezone: {zone}}}")
    assert [row["known_at"] for row in taken(provider, shop, "2022-05-02")] == [datetime(2022, 5, 9, tzinfo=UTC)]


@settings(max_examples=200, deadline=None)
@given(st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)), st.integers(-14 * 4, 14 * 4), st.sampled_from([":", ""]), st.sampled_from("T "))
def test_a_time_with_its_own_offset_is_the_same_instant_in_utc(moment: datetime, quarters: int, colon: str, separator: str) -> None:
    """A return of 21:30-05:00 is known the next day in UTC."""
    moment = moment.replace(microsecond=0)
    hours, minutes = divmod(abs(quarters) * 15, 60)
    text = f"{moment.isoformat(separator)}{'-' if quarters < 0 else '+'}{hours:02}{colon}{minutes:02}"
    expected = moment.replace(tzinfo=timezone(timedelta(minutes=quarters * 15))).astimezone(UTC).replace(tzinfo=None)
    with open_database() as connection:
        found = connection.execute(f"select {has_offset(literal(text))}, {parsed_moment(literal(text), None, False)}").fetchall()
    assert found == [(True, expected)]


@pytest.mark.parametrize(
    ("text", "date_format", "kind", "expected"),
    [
        ("05/06/2024", "%m/%d/%Y", CELL, datetime(2024, 5, 6)),
        ("2024-05-06", "%m/%d/%Y", CELL, datetime(2024, 5, 6)),
        ("2024-05-06 00:00:00", "%m/%d/%Y", CELL, datetime(2024, 5, 6)),
        ("2024-05-06", "%m/%d/%Y", "VARCHAR", None),
        ("2024-05-06", "%Y-%d-%m", CELL, None),  # the sixth of May as a date, the fifth of June as a text
        ("2024-05-06", "serial", CELL, datetime(2024, 5, 6)),
        ("45418", "serial", CELL, datetime(2024, 5, 6)),
        ("45418", None, CELL, None),
    ],
)
def test_dates_beside_texts_in_a_spreadsheet_column(text: str, date_format: str | None, kind: str, expected: datetime | None) -> None:
    assert duckdb.sql(f"select {parsed_moment(literal(text), date_format, kind == CELL)}").fetchall() == [(expected,)]


FAR = ["20224-05-02", "294247-01-10T04:00:54-05:00", "infinity", "-infinity", "2022-05-02 (BC)", "0000-01-01"]
"""What a typing error, or another database's endless date, makes of a day; programs along the way hold the years 1 to 9999."""


@pytest.mark.parametrize(
    "week", ["week", "{column: week, clean: week}", "{column: week, week_starts: sunday}", "{column: week, week_ends: saturday}"]
)
def test_a_date_of_no_year_stays_in_quarantine_and_stops_nothing(shop: Path, week: str) -> None:
    """The year 20224 ended the whole look at landing with a traceback once it stood in quarantine."""
    provider, path = declared(shop, week), shop / "shipments" / "2022-05-02.csv"
    provider = provider.model_copy(update={"refuse_above": 1.0})
    path.write_text("id,sku,week,units\n" + "".join(f"1,A,{text},12\n" for text in FAR))
    found = read_file(provider, "shipments", provider.sources["shipments"][0], path, "s.csv", REFERENCES, NOW)
    assert (found.counts.quarantined, found.rows.num_rows) == (len(FAR), 0)
    assert found.quarantined["week"].to_pylist() == [None] * len(FAR)
    assert all(f"came {text}." in message for text, message in zip(FAR, found.quarantined["message"].to_pylist(), strict=True))


@pytest.mark.parametrize("week", ["week", "{column: week, clean: week}", "{column: week, week_starts: monday}"])
@pytest.mark.parametrize(
    ("kind", "far"), [(pa.date32(), 2**31 - 1), (pa.date32(), 6_000_000), (pa.timestamp("us"), 2**63 - 1), (pa.timestamp("us"), 9 * 10**18)]
)
def test_a_typed_date_of_no_year_stays_in_quarantine_and_stops_nothing(shop: Path, week: str, kind: pa.DataType, far: int) -> None:
    provider, spec = typed_weeks(shop, week, kind, far, -far)
    stores = pa.table({"store_id": ["1", "2", "3"], "region": ["ohio"] * 3, "place": ["Dallas"] * 3})
    found = read_file(provider, "shipments", spec, shop / "s.parquet", "s.parquet", References(stores, REFERENCES.products), NOW)
    assert [(row["store_id"], row["week"]) for row in found.rows.to_pylist()] == [("2", date(2022, 5, 2))]
    assert found.quarantined["week"].to_pylist() == [None, None]


def test_a_typed_time_that_no_calculation_takes_refuses_its_file_alone(shop: Path) -> None:
    provider, spec = typed_weeks(shop, "{column: week, clean: week}", pa.timestamp("us"), 0, -(2**63) + 2)
    with pytest.raises(
        LandingFileRefused, match=r"^s.parquet: expected values that can be calculated with, but a column holds one beyond all bounds: "
    ):
        read_file(provider, "shipments", spec, shop / "s.parquet", "s.parquet", REFERENCES, NOW)


def typed_weeks(shop: Path, week: str, kind: pa.DataType, first: int, last: int) -> tuple[ProviderSpec, FileSpec]:
    """A Parquet file whose weeks are a good one between two others, and the small provider that reads it."""
    whole = pa.int32() if kind == pa.date32() else pa.int64()
    [good] = pa.array([date(2022, 5, 2)]).cast(kind).cast(whole).to_pylist()
    weeks = pa.array([first, good, last], whole).cast(kind)
    pq.write_table(pa.table({"id": ["1", "2", "3"], "sku": ["A"] * 3, "week": weeks, "units": [12, 24, 6]}), shop / "s.parquet")
    provider = declared(shop, week).model_copy(update={"refuse_above": 1.0})
    return provider, provider.sources["shipments"][0].model_copy(update={"format": "parquet"})


@pytest.mark.parametrize(
    ("text", "monday"), [("2020-W53", date(2020, 12, 28)), ("2021-W52", date(2021, 12, 27)), ("2021-W53", None), ("2021-W1", date(2021, 1, 4))]
)
def test_a_53rd_week_of_a_year_that_has_52_is_not_the_first_of_the_next(text: str, monday: date | None) -> None:
    """What was said of 2021-W53 stood beside 2022-W01 as the same week."""
    expected = None if monday is None else datetime.combine(monday, datetime.min.time())
    assert duckdb.sql(f"select {parsed_moment(literal(text), 'iso_week', False)}").fetchall() == [(expected,)]


def test_a_default_is_for_what_is_empty_and_not_for_what_cannot_be_read(shop: Path) -> None:
    """Units of '1 200', '12 pcs' and '#N/A' were 0, and nobody was told."""
    provider = declared(shop, "week", "").model_copy(update={"refuse_above": 1.0})
    spec = provider.sources["shipments"][0]
    units = spec.columns["units_shipped"].model_copy(update={"default": 0})
    spec = spec.model_copy(update={"columns": {**spec.columns, "units_shipped": units}})
    path = shop / "shipments" / "2022-05-02.csv"
    path.write_text(
        "id,sku,week,units\n" + "".join(f"1,A,2022-05-{day:02},{text}\n" for day, text in [(2, ""), (9, "1 200"), (16, "12 pcs"), (23, "#N/A")])
    )
    found = read_file(provider, "shipments", spec, path, "s.csv", REFERENCES, NOW)
    assert [(row["week"].day, row["units_shipped"]) for row in found.rows.to_pylist()] == [(2, 0)]
    assert [message.split("came ")[1].split(". ")[0] for message in found.quarantined["message"].to_pylist()] == ["1 200", "12 pcs", "#N/A"]


@pytest.mark.parametrize(
    ("source", "header", "row", "told"),
    [
        ("returns", "id,sku,week,units,reported", "1,A,2030-05-06,2,2030-01-06 10:00:00", "a time after its week began, came 2030-01-06 10:00:00. "),
        (
            "returns",
            "id,sku,week,units,reported",
            "1,A,2030-05-06,2,2031-12-05 10:00:00",
            "a time before the file arrived, came 2031-12-05 10:00:00. ",
        ),
        ("returns", "id,sku,week,units,reported", "1,A,2030-12-30,2,2031-01-06 00:00:00", None),
        ("returns", "id,sku,week,units,reported", "1,A,2030-05-06,2,2030-05-05 19:00:00", None),
        (
            "weather_observed",
            "town,day,low_f,high_f,known",
            "Dallas,2030-05-06,50,68,2030-05-04 12:00:00",
            "a time after its date began, came 2030-05-04 12:00:00. ",
        ),
        ("weather_observed", "town,day,low_f,high_f,known", "Dallas,2030-05-06,50,68,2030-05-07 06:00:00", None),
    ],
)
def test_nothing_is_known_before_it_happened_or_after_its_file_came(shop: Path, source: str, header: str, row: str, told: str | None) -> None:
    """Day and month of returns were the wrong way round: forecasts knew of them before they were delivered, or not for years."""
    provider = load_provider(str(shop / "corner_shop.yaml")).model_copy(update={"refuse_above": 1.0})
    [spec] = provider.sources[source]
    if source == "weather_observed":
        spec = spec.model_copy(update={"columns": {**spec.columns, "known_at": ColumnSpec(column="known")}})
    (shop / "file.csv").write_text(f"{header}\n{row}\n")
    found = read_file(provider, source, spec, shop / "file.csv", "file.csv", REFERENCES, NOW)
    assert found.rows.num_rows == (0 if told else 1)
    assert [told in message for message in found.quarantined["message"].to_pylist() if told] == [True] * bool(told)


@pytest.mark.parametrize(
    ("week", "text", "monday"),
    [
        ("{column: week, clean: week}", "2024-06-09T23:30:00-05:00", date(2024, 6, 3)),
        ("{column: week, clean: week}", "2024-06-09 23:30:00-0500", date(2024, 6, 3)),
        ("{column: week, clean: week}", "2024-06-09 23:30:00-05", date(2024, 6, 3)),
        ("{column: week, clean: week}", "2024-06-10T04:30:00Z", date(2024, 6, 10)),
        ("{column: week, clean: week}", "2024-06-10T05:00:00+09:00", date(2024, 6, 10)),
        ("{column: week, clean: week}", "2024-06-09T23:30:00", date(2024, 6, 3)),
        ("{column: week, clean: week, timezone: America/Chicago}", "2024-06-10T04:30:00Z", date(2024, 6, 3)),
        ("{column: week, clean: week, timezone: America/Chicago}", "2024-06-10T13:30:00+09:00", date(2024, 6, 3)),
        ("{column: week, clean: week, timezone: UTC}", "2024-06-09T23:30:00-05:00", date(2024, 6, 10)),
        ("{column: week, clean: week, timezone: America/Chicago}", "2024-06-10T01:00:00", date(2024, 6, 10)),
        ('{column: week, clean: week, date_format: "%d.%m.%Y %H:%M %z"}', "09.06.2024 23:30 -0500", date(2024, 6, 3)),
        ('{column: week, clean: week, date_format: "%d.%m.%Y %H:%M %z", timezone: UTC}', "09.06.2024 23:30 -0500", date(2024, 6, 10)),
        ('{column: week, clean: week, date_format: "%z %d-%m-%y"}', "-0500 10-06-24", date(2024, 6, 10)),
        ('{column: week, clean: week, date_format: "%d.%m.%Y %z %H:%M"}', "09.06.2024 -0500 23:30", date(2024, 6, 3)),
        ('{column: week, clean: week, date_format: "%d.%m.%Y %z %H:%M"}', "10.06.2024  +09:00 5:00", date(2024, 6, 10)),
        ('{column: week, clean: week, date_format: "%d-%m-%Y (%z) %H:%M"}', "09-06-2024 (-05) 23:30", date(2024, 6, 3)),
        ('{column: week, clean: week, date_format: "%a %b %d %H:%M:%S %Z %Y"}', "Sun Jun 09 23:30:00 America/Chicago 2024", date(2024, 6, 3)),
        ('{column: week, clean: week, date_format: "%z|%B %d %Y %I:%M %p"}', "-0500|June 9 2024 11:30 PM", date(2024, 6, 3)),
        ("week", "2024-06-10T05:00:00+09:00", date(2024, 6, 10)),
        ("{column: week, week_starts: monday}", "2024-06-10T05:00:00+09:00", date(2024, 6, 10)),
        ("{column: week, week_ends: sunday}", "2024-06-09T23:30:00-05:00", date(2024, 6, 3)),
        ("{column: week, week_ends: sunday, timezone: America/Chicago}", "2024-06-10T04:30:00Z", date(2024, 6, 3)),
    ],
)
def test_a_sunday_evening_with_an_offset_belongs_to_the_week_of_that_sunday(shop: Path, week: str, text: str, monday: date) -> None:
    """Deliveries of Sunday evening in Chicago stood in the week from Monday on, whatever time zone was declared."""
    [row] = taken(declared(shop, week), shop, text)
    zone = ZoneInfo("America/Chicago" if "America/Chicago}" in week else "UTC")
    assert (row["week"], row["known_at"]) == (monday, Week(monday).end.replace(tzinfo=zone))


@pytest.mark.parametrize(
    ("told", "zone", "monday"),
    [
        ("UTC", "America/Chicago", date(2024, 6, 3)),
        ("UTC", None, date(2024, 6, 10)),
        ("America/Chicago", None, date(2024, 6, 3)),
        ("America/Chicago", "UTC", date(2024, 6, 10)),
        ("-05:00", None, date(2024, 6, 10)),  # no zone that the database knows
    ],
)
def test_a_typed_time_with_a_zone_belongs_to_its_day_there_or_in_the_declared_zone(shop: Path, told: str, zone: str | None, monday: date) -> None:
    path, more = shop / "s.parquet", f", timezone: {zone}" if zone else ""
    week = pa.array([datetime(2024, 6, 10, 4, 30, tzinfo=UTC)], pa.timestamp("us", tz=told))
    pq.write_table(pa.table({"id": ["1"], "sku": ["A"], "week": week, "units": [12]}), path)
    provider = declared(shop, f"{{column: week, clean: week{more}}}")
    spec = provider.sources["shipments"][0].model_copy(update={"format": "parquet"})
    found = read_file(provider, "shipments", spec, path, "s.parquet", REFERENCES, NOW)
    known_at = Week(monday).end.replace(tzinfo=ZoneInfo(zone or "UTC"))
    assert [(row["week"], row["known_at"]) for row in found.rows.to_pylist()] == [(monday, known_at)]


@pytest.mark.parametrize("text", ["2024-06-12T23:30:00-05:00", "2024-06-12 23:30:00-05", "2024-06-13T13:30:00+09:00"])
@pytest.mark.parametrize("zone", [None, "America/Chicago"])
def test_a_return_is_known_at_the_instant_that_its_offset_tells(shop: Path, text: str, zone: str | None) -> None:
    """An offset of hours alone, as databases write it, was dropped: the return was known five hours before it was reported."""
    provider = load_provider(str(shop / "corner_shop.yaml"))
    [spec] = provider.sources["returns"]
    known_at = ColumnSpec(column="reported", timezone=zone)
    spec = spec.model_copy(update={"columns": {**spec.columns, "known_at": known_at}})
    (shop / "r.csv").write_text(f"id,sku,week,units,reported\n1,A,2024-06-03,2,{text}\n")
    found = read_file(provider, "returns", spec, shop / "r.csv", "r.csv", REFERENCES, NOW)
    assert [row["known_at"] for row in found.rows.to_pylist()] == [datetime(2024, 6, 13, 4, 30, tzinfo=UTC)]


@pytest.mark.parametrize("zone", ["America/Chicago", "Pacific/Honolulu", "Asia/Kolkata", "Asia/Tokyo"])
@pytest.mark.parametrize(
    ("week", "text", "last"),
    [
        ("column: week", "2024-03-04", date(2024, 3, 10)),  # clocks in Chicago go forward on its Sunday
        ("column: week, clean: week", "2024-10-30", date(2024, 11, 3)),
        ("column: week, date_format: iso_week", "2024-W23", date(2024, 6, 9)),
        ("column: week, week_starts: wednesday", "2024-06-05", date(2024, 6, 11)),
        ("column: week, week_ends: saturday", "2024-06-08", date(2024, 6, 8)),
        ("column: week, calendar: calendars/retail.csv", "2024-P01-W1", CALENDAR_DAYS[0] + timedelta(days=6)),
    ],
)
@pytest.mark.parametrize("source", ["shipments", "returns"])
def test_a_week_of_a_declared_time_zone_is_known_when_it_has_ended_there(
    shop: Path, source: str, zone: str, week: str, text: str, last: date
) -> None:
    """Deliveries of a Sunday evening in Chicago were known at an origin that lay some hours before them."""
    calendar(shop, *CALENDAR_DAYS)
    provider = declared(shop, f"{{{week}, timezone: {zone}}}")
    spec = provider.sources["shipments"][0]
    if source == "returns":
        columns = {**spec.columns, "units_returned": spec.columns["units_shipped"]}
        spec = spec.model_copy(update={"columns": {name: column for name, column in columns.items() if name != "units_shipped"}})
    path = shop / "shipments" / "a.csv"
    path.write_text(f"id,sku,week,units\n1,A,{text},2\n")
    [row] = read_file(provider, source, spec, path, "shipments/a.csv", REFERENCES, NOW).rows.to_pylist()
    assert row["known_at"] == datetime.combine(last + timedelta(days=1), datetime.min.time(), ZoneInfo(zone))


def test_a_day_of_weather_of_a_declared_time_zone_is_known_when_it_has_ended_there(shop: Path) -> None:
    provider = load_provider(str(shop / "corner_shop.yaml"))
    [spec] = provider.sources["weather_observed"]
    spec = spec.model_copy(update={"columns": {**spec.columns, "date": spec.columns["date"].model_copy(update={"timezone": "America/Chicago"})}})
    (shop / "w.csv").write_text("town,day,low_f,high_f\nDallas,2024-06-09,50,68\n")
    [row] = read_file(provider, "weather_observed", spec, shop / "w.csv", "w.csv", REFERENCES, NOW).rows.to_pylist()
    assert (row["date"], row["known_at"]) == (date(2024, 6, 9), datetime(2024, 6, 10, 5, tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "arrived_at", "taken_in"),
    [
        ("Asia/Tokyo", datetime(2024, 6, 9, 22, 0, tzinfo=UTC), True),  # Monday, 7 in the morning there
        ("America/Chicago", datetime(2024, 6, 10, 3, 0, tzinfo=UTC), False),  # Sunday, 10 in the evening there
        ("America/Chicago", datetime(2024, 6, 10, 6, 0, tzinfo=UTC), True),
        (None, datetime(2024, 6, 9, 11, 0, tzinfo=UTC), True),  # Monday has begun in Kiritimati
        (None, datetime(2024, 6, 9, 9, 0, tzinfo=UTC), False),
    ],
)
def test_a_day_lies_in_the_future_by_the_clock_of_its_own_zone(shop: Path, zone: str | None, arrived_at: datetime, taken_in: bool) -> None:
    """Monday morning's file from Tokyo came while it was Sunday in UTC: its rows were put in quarantine as not yet delivered."""
    provider = declared(shop, f"{{column: week, timezone: {zone}}}" if zone else "week").model_copy(update={"refuse_above": 1.0})
    path = shop / "shipments" / "a.csv"
    path.write_text("id,sku,week,units\n1,A,2024-06-10,2\n")
    found = read_file(provider, "shipments", provider.sources["shipments"][0], path, "shipments/a.csv", REFERENCES, arrived_at)
    assert found.rows.num_rows == taken_in
