"""How other programs open a gold table at its very place: code that is shown as it is tested. No secret stands in it: keys come from the environment.

Each names the region and the weeks that it wants, so that files of others are not opened. Which tables there are is `catalogue`'s.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from urllib.parse import quote

from transforms.contracts import Contract
from transforms.exports.catalogue import GoldTable
from transforms.lake.database import literal
from transforms.lake.tables import Lake

WEEKS = 4
"""Newest weeks that a snippet opens."""
_NO_SECRETS = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ALLOW_HTTP")
"""What opens an object store and may be shown."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rows to open: those of a table at an address, of a region and from a week on, where the table has them.

    `store` is what the object store needs beside keys (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ALLOW_HTTP`), empty for a folder.
    """

    contract: Contract
    address: str
    region: str = ""
    since: date | None = None
    store: Mapping[str, str] = field(default_factory=dict)

    @property
    def of_region(self) -> str:
        """The region, where rows have one."""
        return self.region if "region" in self.contract.names else ""

    @property
    def from_week(self) -> date | None:
        """The first week, where rows are of weeks."""
        return self.since if self.contract.sliced else None

    @property
    def in_store(self) -> bool:
        """Whether the table lies in an object store."""
        return "://" in self.address


@dataclass(frozen=True, slots=True)
class Snippet:
    """Python that leaves the rows in `rows`, and the packages that it needs."""

    packages: str
    code: str


def newest_weeks(lake: Lake, table: GoldTable, region: str) -> Wanted:
    """The newest weeks of a region in one of the lake's tables."""
    since = table.newest_week - timedelta(weeks=WEEKS - 1) if table.newest_week else None
    store = {name: lake.storage_options[name] for name in _NO_SECRETS if name in lake.storage_options and not lake.is_local}
    return Wanted(table.contract, table.address, region, since, store)


def statement(wanted: Wanted) -> str:
    """DuckDB's SQL, as its ODBC driver takes it too."""
    conditions = _conditions(wanted)
    where = f"\nwhere {conditions}" if conditions else ""
    return f"select *\nfrom delta_scan({literal(wanted.address)}){where}"


def export_command(wanted: Wanted, ending: str) -> str:
    """The command that writes the rows to a file."""
    region = f" --region {wanted.of_region}" if wanted.of_region else ""
    first = f" --from {wanted.from_week}" if wanted.from_week else ""
    return f"shelfcast export {wanted.contract.name} --to {wanted.contract.table}.{ending}{region}{first}"


def _duckdb(wanted: Wanted) -> Snippet:
    sql = statement(wanted).replace("\\", "\\\\").replace('"', '\\"')
    lines = ["import duckdb", "", "con = duckdb.connect()", 'con.execute("install delta; load delta")  # fetched once from DuckDB\'s site']
    if wanted.in_store:
        lines = ["import os", "", *lines, 'con.execute("install httpfs; load httpfs")', *_secret(wanted.store)]
    return Snippet("duckdb pandas", "\n".join([*lines, f'rows = con.sql("""\n{sql}\n""").df()', "print(rows)"]))


def _secret(store: Mapping[str, str]) -> list[str]:
    scheme, _, host = store.get("AWS_ENDPOINT_URL", "").rpartition("://")
    parts = ["type s3", "key_id '{os.environ['AWS_ACCESS_KEY_ID']}'", "secret '{os.environ['AWS_SECRET_ACCESS_KEY']}'"]
    parts += [f"region {literal(store['AWS_REGION'])}"] if "AWS_REGION" in store else []
    parts += [f"endpoint {literal(host.rstrip('/'))}", "url_style path"] if host else []
    parts += ["use_ssl false"] if scheme == "http" else []
    return ['con.execute(f"""create secret lake (', *[f"    {part}," for part in parts[:-1]], f"    {parts[-1]}", ')""")']


def _pandas(wanted: Wanted) -> Snippet:
    filters = [f'("region", "=", {_text(wanted.of_region)})'] if wanted.of_region else []
    filters += [f'("{wanted.contract.week_column}", ">=", {_date(wanted.from_week)})'] if wanted.from_week else []
    options = _options(wanted)
    opened = f"table = DeltaTable({_text(wanted.address)}{', storage_options=options' if options else ''})"
    rows = f"rows = table.to_pandas(filters=[{', '.join(filters)}])" if filters else "rows = table.to_pandas()"
    code = [*_dates(wanted), "from deltalake import DeltaTable", "", *options, opened, rows, "print(rows)"]
    return Snippet("deltalake pyarrow pandas", "\n".join(code))


def _polars(wanted: Wanted) -> Snippet:
    filters = [f'pl.col("region") == {_text(wanted.of_region)}'] if wanted.of_region else []
    filters += [f'pl.col("{wanted.contract.week_column}") >= {_date(wanted.from_week)}'] if wanted.from_week else []
    options = _options(wanted)
    # Polars' own reader does not find files below a folder whose name is written otherwise in an address (2.1): spaces, umlauts.
    plain = wanted.in_store or quote(wanted.address, safe="/'") == wanted.address
    how = f"{', storage_options=options' if options else ''}{'' if plain else ', use_pyarrow=True'}"
    scanned = f"    pl.scan_delta({_text(wanted.address)}{how})"
    rows = ["rows = (", scanned, *([f"    .filter({', '.join(filters)})"] if filters else []), "    .collect()", ")"]
    return Snippet(
        "polars deltalake" if plain else "polars deltalake pyarrow",
        "\n".join([*_dates(wanted), "import polars as pl", "", *options, *rows, "print(rows)"]),
    )


def _spark(wanted: Wanted) -> Snippet:
    address = wanted.address.replace("s3://", "s3a://", 1)
    conditions = _conditions(wanted)
    where = [f"    .where({_text(conditions)})"] if conditions else []
    builder = [
        "builder = (",
        "    SparkSession.builder",
        '    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")',
        '    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")',
        *([f'    .config("spark.hadoop.fs.s3a.endpoint", {_text(endpoint)})'] if (endpoint := wanted.store.get("AWS_ENDPOINT_URL")) else []),
        *(['    .config("spark.hadoop.fs.s3a.path.style.access", "true")'] if endpoint else []),
        ")",
    ]
    more = ', extra_packages=["org.apache.hadoop:hadoop-aws:3.4.1"]' if wanted.in_store else ""
    hadoop = ["# hadoop-aws in the version of Hadoop that your Spark was built with."] if wanted.in_store else []
    session = [*builder, *hadoop, f"spark = configure_spark_with_delta_pip(builder{more}).getOrCreate()"]
    rows = ["rows = (", f'    spark.read.format("delta").load({_text(address)})', *where, ")", "rows.show()"]
    imports = ["from delta import configure_spark_with_delta_pip", "from pyspark.sql import SparkSession", ""]
    return Snippet("delta-spark", "\n".join([*imports, *session, *rows]))


PROGRAMS: dict[str, Callable[[Wanted], Snippet]] = {"DuckDB": _duckdb, "pandas": _pandas, "Polars": _polars, "Spark": _spark}
"""How each program opens the rows; all but Spark are run by tests."""


def _conditions(wanted: Wanted) -> str:
    """SQL over the table's columns, as DuckDB and Spark read it."""
    conditions = [f"region = {literal(wanted.of_region)}"] if wanted.of_region else []
    conditions += [f"{wanted.contract.week_column} >= date '{wanted.from_week}'"] if wanted.from_week else []
    return " and ".join(conditions)


def _options(wanted: Wanted) -> list[str]:
    return [f"options = {json.dumps(dict(wanted.store))}"] if wanted.store else []


def _dates(wanted: Wanted) -> list[str]:
    return ["from datetime import date", ""] if wanted.from_week else []


def _text(value: str) -> str:
    """A text as Python's source has it."""
    return json.dumps(value, ensure_ascii=False)


def _date(value: date) -> str:
    return f"date({value.year}, {value.month}, {value.day})"
