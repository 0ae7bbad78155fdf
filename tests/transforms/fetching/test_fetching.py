"""Incidents around sources that are queries: values that changed on their way, half files, endless waiting, passwords in messages."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from adbc_driver_postgresql import dbapi

from transforms.adapters import ProviderSpec, load_provider
from transforms.errors import ConfigurationError
from transforms.fetching import Fetched, fetch
from transforms.lake.tables import Lake
from transforms.landing import conservation, drop, folder, refused_files, register

Sql = Callable[..., None]
TODAY = date(2022, 5, 18)
SECRET = "c4n4ry-p4ss"
STORES = "select id, area, kind, town from stores"
SHIPMENTS = "select id, sku, week, units from shipments"
TABLES = (
    "create table stores (id integer, area text, kind text, town text)",
    "insert into stores values (1, 'North Texas', 'LARGE', 'Dallas'), (2, 'North Texas', 'SMALL', 'Dallas'), (3, 'Ohio', 'LARGE', 'Columbus')",
    "create table shipments (id integer, sku text, week date, units numeric(10, 2))",
    "insert into shipments values (1, 'A', '2022-05-02', 12), (2, 'B', '2022-05-02', 24), (3, 'A', '2022-05-09', 6)",
)


def asked(shop: Path, stores: str = STORES, shipments: str = SHIPMENTS, more: str = "", name: str = "erp/shipments.parquet") -> ProviderSpec:
    """The small provider, with stores and shipments as queries."""
    yaml = (shop / "corner_shop.yaml").read_text()
    yaml = yaml.replace(
        "    - files: stores.csv\n      format: csv\n",
        f'    - files: erp/stores.parquet\n      format: parquet\n      database: ERP\n      query: "{stores}"\n',
    )
    written = f'    - files: "{name}"\n      format: parquet\n      database: ERP\n      query: "{shipments}"\n{more}'
    yaml = yaml.replace('    - files: "shipments/*.csv"\n      format: csv\n', written)
    path = shop / "asked.yaml"
    path.write_text(yaml)
    return load_provider(str(path))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


Fetch = Callable[[ProviderSpec], Fetched]


@pytest.fixture
def fetched(lake: Lake, postgresql: str) -> Fetch:
    return lambda provider: fetch(lake, provider, {"ERP": postgresql}.__getitem__, TODAY, lambda _: None)


def standing(lake: Lake) -> list[str]:
    """Files in landing, drafts included."""
    top = lake.path("landing")
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())


def test_what_a_query_gives_is_taken_in_like_any_file(shop: Path, lake: Lake, sql: Sql, fetched: Fetch) -> None:
    sql(*TABLES)
    provider = asked(shop)
    drop(lake, provider, shop)
    assert fetched(provider).written == ["erp/stores.parquet", "erp/shipments.parquet"]
    register(lake, provider, datetime(2022, 5, 18, tzinfo=UTC))
    assert refused_files(lake, provider) == []
    rows = {row["source"]: row for row in lake.read("bronze/landing_files", where="source_file like 'erp/%'").to_pylist()}
    assert {source: (row["records"], row["rows_taken"]) for source, row in rows.items()} == {"stores": (3, 3), "shipments": (3, 3)}
    assert conservation(lake, provider).findings == []


def test_the_same_rows_are_the_same_file_in_whatever_order_they_come(shop: Path, lake: Lake, sql: Sql, fetched: Fetch) -> None:
    sql(*TABLES)
    provider = asked(shop)
    fetched(provider)
    path = folder(lake, provider) / "erp/shipments.parquet"
    before, looked = path.read_bytes(), path.stat().st_mtime_ns
    sql("create table others as select * from shipments order by units desc", "delete from shipments", "insert into shipments select * from others")
    assert fetched(provider) == Fetched([], ["erp/stores.parquet", "erp/shipments.parquet"], [])
    assert path.stat().st_mtime_ns == looked
    path.unlink()
    fetched(provider)
    assert path.read_bytes() == before
    sql("update shipments set units = 18 where id = 1")
    assert fetched(provider).written == ["erp/shipments.parquet"]
    # A row that is there twice is another content.
    sql("insert into shipments select * from shipments where id = 1", "delete from shipments where id = 3")
    assert fetched(provider).written == ["erp/shipments.parquet"]


def test_types_and_digits_are_kept(shop: Path, lake: Lake, sql: Sql, fetched: Fetch) -> None:
    columns = {
        "small": ("7::int2", pa.int16(), 7),
        "number": ("12.50::numeric(12, 2)", pa.decimal128(12, 2), None),
        "total": ("sum(0.1::numeric)", pa.string(), "0.1"),
        "text": ("'007'::text", pa.string(), "007"),
        "code": ("'a'::char(3)", pa.string(), "a  "),
        "day": ("date '2024-02-29'", pa.date32(), date(2024, 2, 29)),
        "instant": ("timestamptz '2024-01-02 21:30-05'", pa.timestamp("us", "UTC"), datetime(2024, 1, 3, 2, 30, tzinfo=UTC)),
        "local": ("timestamp '2024-01-02 21:30'", pa.timestamp("us"), datetime(2024, 1, 2, 21, 30)),
        "flag": ("true", pa.bool_(), True),
        "half": ("0.1::float8", pa.float64(), 0.1),
        "mood": ("'ok'::mood", pa.string(), "ok"),
        "id": ("'00000000-0000-0000-0000-000000000001'::uuid", pa.uuid(), UUID(int=1)),
        "last": ("date '9999-12-31'", pa.date32(), date(9999, 12, 31)),
        "nothing": ("null::text", pa.string(), None),
    }
    sql(*TABLES, "create type mood as enum ('sad', 'ok')")
    provider = asked(shop, stores="select " + ", ".join(f"{value} as {name}" for name, (value, _, _) in columns.items()))
    assert fetched(provider).left_out == []
    table = pq.read_table(folder(lake, provider) / "erp/stores.parquet")
    assert {field.name: field.type for field in table.schema} == {name: kind for name, (_, kind, _) in columns.items()}
    [row] = table.to_pylist()
    assert str(row.pop("number")) == "12.50"
    assert row == {name: value for name, (_, _, value) in columns.items() if name != "number"}


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("select id, nothing from stores", "PostgreSQL refuses the query: column \"nothing\" does not exist. Correct 'query' in the provider YAML"),
        ("selec", 'PostgreSQL refuses the query: syntax error at or near "selec"'),
        ("select 1; drop table stores", "PostgreSQL refuses the query: cannot insert multiple commands into a prepared statement"),
        ("select id / (id - 3) as id from stores", "PostgreSQL refuses the query: division by zero"),
        ("create table other (id integer)", "expected a query that only reads, came one that writes"),
        ("select pg_sleep(9)::text as id", "expected an answer within 1 seconds, came none. Ask for less, or set 'timeout' beside 'query' higher."),
        ("select id, town as id from stores", "two columns are called 'id'. Name one of them otherwise with 'as'."),
        ("select '12.50'::money as price", "column 'price' is of type money, which no file keeps. Cast it in the query, like price::text."),
        ("select array[1] as ids", "column 'ids' is of type _int4, which no file keeps"),
        ("select 'infinity'::date as closed", "column 'closed' holds a day outside the years 1 to 9999, perhaps infinity. Say in the query"),
        ("select '-infinity'::timestamptz as closed union all select null", "column 'closed' holds a day outside the years 1 to 9999"),
        ("select 'NaN'::numeric(4, 1) as price", "column 'price' holds a value that is no number of type decimal128(4, 1)"),
    ],
)  # fmt: skip
def test_a_query_that_fails_is_told_and_the_others_are_fetched(query: str, sentence: str, shop: Path, lake: Lake, sql: Sql, fetched: Fetch) -> None:
    sql(*TABLES)
    provider = asked(shop, shipments=query, more="      timeout: 1\n")
    found = fetched(provider)
    assert found.written == ["erp/stores.parquet"]
    [message] = found.left_out
    assert message.startswith("erp/shipments.parquet (shipments) stayed as fetched before: ")
    assert sentence in message
    assert "\n" not in message
    assert standing(lake) == ["corner_shop/erp/stores.parquet"]


def test_a_column_that_the_query_lacks_is_told_by_the_look_at_landing(shop: Path, lake: Lake, sql: Sql, fetched: Fetch) -> None:
    sql(*TABLES)
    provider = asked(shop, shipments="select id, week, units from shipments")
    drop(lake, provider, shop)
    fetched(provider)
    register(lake, provider, datetime(2022, 5, 18, tzinfo=UTC))
    [refused] = refused_files(lake, provider)
    assert refused.message.startswith("erp/shipments.parquet, row 1 (header): columns ['sku'] are missing for source 'shipments'")


def test_a_connection_that_breaks_leaves_the_file_of_before(shop: Path, lake: Lake, sql: Sql, postgresql: str, fetched: Fetch) -> None:
    sql(*TABLES)
    fetched(asked(shop))
    before = standing(lake), (folder(lake, asked(shop)) / "erp/shipments.parquet").read_bytes()
    # Rows of many megabytes, of which the first are on their way when the connection goes.
    slow = "select id, sku, week, units, repeat('x', 100000) || n as filler, pg_sleep(0.02)::text as z from shipments, generate_series(1, 1000) as n"
    cut = threading.Thread(target=cut_off, args=(postgresql,))
    cut.start()
    found = fetched(asked(shop, shipments=slow))
    cut.join()
    [message] = found.left_out
    assert message.startswith(
        "erp/shipments.parquet stayed as fetched before: the connection to the database in ERP was lost: terminating connection"
    )
    assert (standing(lake), (folder(lake, asked(shop)) / "erp/shipments.parquet").read_bytes()) == before


def cut_off(postgresql: str) -> None:
    """Wait until the slow query runs, let it hand out rows, and end its connection as an administrator does."""
    terminate = "select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and query like '%filler%' and query_start < now() - interval '2 s'"
    with dbapi.connect(postgresql, autocommit=True) as connection, connection.cursor() as cursor:
        for _ in range(300):
            cursor.execute(terminate)
            if cursor.fetchone() != (0,):
                return
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("owner", "owner"), ""),
        (("127.0.0.1", "127.0.0.2"), 'no connection to the database in ERP: connection to server at "127.0.0.2"'),
        (("127.0.0.1", "nowhere.invalid"), 'could not translate host name "nowhere.invalid"'),
        (("/postgres", "/nowhere"), 'database "nowhere" does not exist. Check that the server runs'),
        ((SECRET, "wr0ng-" + SECRET), 'password authentication failed for user "owner"'),
        (("postgresql://", "postgresqI://"), "expected an address like postgresql://user:password@host:5432/database in ERP, came another text"),
        (("@", "/@"), "expected an address like postgresql://"),
        (("@127.0.0.1", ""), "expected an address like postgresql://"),
        ((f"{SECRET}@127.0.0.1", SECRET), "expected an address like postgresql://"),
    ],
)
def test_no_way_to_a_database_is_one_sentence_without_its_password(
    change: tuple[str, str], sentence: str, shop: Path, lake: Lake, sql: Sql, postgresql: str
) -> None:
    sql(*TABLES)
    found = fetch(lake, asked(shop), lambda _: postgresql.replace(*change, 1), TODAY, lambda _: None)
    if not sentence:
        assert found.left_out == []
        return
    [message] = found.left_out
    assert message.startswith("erp/stores.parquet and 1 more stayed as fetched before: ")
    assert sentence in message
    assert SECRET not in message
    assert "\n" not in message
    assert standing(lake) == []


def test_all_queries_see_one_state_of_the_database(shop: Path, lake: Lake, sql: Sql, postgresql: str) -> None:
    sql(*TABLES)
    provider = asked(shop)

    def meanwhile(line: str) -> None:
        if "erp/shipments.parquet" in line:
            sql("insert into shipments values (9, 'A', '2022-05-09', 6)")

    fetch(lake, provider, lambda _: postgresql, TODAY, meanwhile)
    assert pq.read_table(folder(lake, provider) / "erp/shipments.parquet")["id"].to_pylist() == [1, 2, 3]


def test_weeks_are_asked_for_one_by_one_and_old_ones_once(shop: Path, lake: Lake, sql: Sql, fetched: Fetch) -> None:
    sql(*TABLES, "insert into shipments values (1, 'A', '2022-05-16', 6), (1, 'A', '2022-03-28', 6), (2, 'A', '2022-03-28', 6)")
    weekly = "select id, sku, week, units from shipments where week >= $1 and week < $2"
    provider = asked(shop, shipments=weekly, name="erp/shipments-*.parquet", more="      since: 2022-03-28\n      again: 2\n")
    names = [f"erp/shipments-{week}.parquet" for week in ("2022-03-28", "2022-05-02", "2022-05-09")]
    # The week of today is not over, and weeks without rows have no file.
    assert fetched(provider).written == ["erp/stores.parquet", *names]
    sql("update shipments set units = 7")
    assert fetched(provider) == Fetched(names[1:], ["erp/stores.parquet"], [])


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("      database: postgresql://a@b/c\n", "database"),
        ("      since: 2022-03-28\n", "a name with one \\* like 'erp/shipments-\\*.parquet' for the snapshots of a query"),
        ("      timeout: 0\n", "timeout"),
    ],
)
def test_a_query_that_is_half_described_is_refused_with_file_line_and_key(more: str, problem: str, shop: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"asked.yaml, line \d+.*{problem}|asked.yaml breaks the rules: line \d+.*{problem}"):
        asked(shop, more=more)
