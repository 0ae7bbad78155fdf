"""A provider in one YAML: which files it drops, in which format, and how their columns map onto the standard contracts.

What a provider file may say is defined here; turning it into SQL is `transforms.adapters.expressions`' work.
"""

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

import duckdb
from pydantic import Field, ValidationError, field_validator, model_validator

from transforms.adapters.formats.bounds import MAX_COLUMNS
from transforms.adapters.moments import ISO_WEEK, SERIAL
from transforms.adapters.shapes import Lookup, Melt, Name, Part, RowFilter, RowsEnd, Span, Strict, Text, inside_landing, path_names, path_values
from transforms.contracts import SOURCES, Column, Contract
from transforms.errors import ConfigurationError, LandingFileRefused
from transforms.lake.database import open_database
from transforms.yaml_files import RuleBroken, read_model

BUILT_IN = Path(__file__).resolve().parent.parent / "providers"

# fmt: off
Unit = Literal[
    "tenth", "percent", "thousand", "dozen", "case", "fahrenheit", "tenth_fahrenheit", "inch", "hundredth_inch", "mile",
    "centilitre", "litre", "fluid_ounce", "kilogram", "pound", "ounce",
]
# fmt: on
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_BESIDE = re.compile(r"\{[a-z_][a-z0-9_]*\}")
WORKBOOKS = ("xlsx", "xls", "xlsb", "ods")
Cleaning = Literal["key", "lower", "upper", "week", "end_of_day", "digits"]
Number = Annotated[float, Field(allow_inf_nan=False)]


_PARAMETER = re.compile(r"\$\d+")
HOW_FETCHED = frozenset({"query", "database", "since", "again", "timeout"})
"""Keys that say how a file comes into landing, and not how it is read."""


class ColumnSpec(Strict):
    """How one standard column comes about: from a column of the file, from several, or from a constant."""

    column: Name | None = None
    """Name of the provider's column; `{sheet}`, `{member}` or a name of `path` in braces for what the file's surroundings tell."""
    position: int | None = Field(default=None, ge=1, le=MAX_COLUMNS)
    """Number of the provider's column, from 1, in place of its name."""
    columns: tuple[Name, ...] | None = Field(default=None, min_length=2)
    """Columns whose texts are joined; where one is empty, so is the whole."""
    join: str = ""
    """Text between those that are joined."""
    part: Part | None = None
    """Which part of the text is meant, where the column holds several (`{separator: "-", number: 2}`)."""
    value: str | Number | None = None
    """Constant, where the files do not tell."""
    default: str | Number | None = None
    """Taken where the provider's value is empty."""
    fraction_of: str | None = None
    """Standard column that `value` is a fraction of (`return_cost: {value: 0.15, fraction_of: price}`), whatever the file calls its own columns."""
    unit: Unit | None = None
    """Unit of the provider's numbers, converted to the contract's."""
    decimal: Literal[".", ","] = "."
    """Sign before the fraction of numbers written as text."""
    grouping: Literal[".", ",", " ", "'", "none"] | None = None
    """Sign between groups of three digits, as any space that looks alike. Where none is given: a point where `decimal` is a comma, else none."""
    affixes: tuple[Name, ...] = ()
    """Texts before or after a number that are to be left out, like a currency or a unit."""
    negative: Literal["leading", "trailing", "parentheses"] = "leading"
    """How numbers below 0 are written: -6, 6- or (6)."""
    width: int | None = Field(default=None, ge=1, le=64)
    """Digits of an identifier or ZIP: zeros in front that a program took away come back, and of a ZIP+4 the ZIP stays."""
    date_format: str | None = None
    """strptime format of a date or time written as text; `iso_week` for 2024-W09, `serial` for days as spreadsheets count them."""
    week_starts: Weekday | None = None
    """Weekday that the provider's weeks begin with, where the date is the first day of one: it belongs to the Monday that most of its days follow."""
    week_ends: Weekday | None = None
    """The same where the date is the last day of a week."""
    weekday: Weekday | None = None
    """With `clean: week`: the one weekday of all dates, where they are days (a delivery every Tuesday) and no names of weeks."""
    calendar: str | None = None
    """For weeks with numbers like 2024-P03-W2: a CSV file in the landing folder with columns `period` and `first_day` (YYYY-MM-DD)."""
    timezone: str | None = None
    """Time zone of a local time, converted to UTC; of a day or week, the zone in which a time with an offset or a zone has its day."""
    map: dict[str, str] = Field(default_factory=dict)
    """Provider's value -> standard value."""
    clean: Cleaning | None = None
    """key: to a region key; lower, upper: letter case; digits: keep digits only; week: Monday of the date; end_of_day: first instant after it."""
    negate: bool = False
    """Turn the sign, for credits that are written as negative quantities."""

    @property
    def source(self) -> str | None:
        """The one column that the value is taken from, as the file's table names it; None for a constant and for joined columns."""
        return self.column if self.position is None else f"{{{self.position}}}"

    @property
    def sources(self) -> tuple[str, ...]:
        """All columns that the value is taken from."""
        return self.columns or ((self.source,) if self.source is not None else ())

    def as_written(self) -> Self:
        """The same column without cleaning: the day of a date of which the contract takes the week."""
        return self.model_copy(update={"clean": None, "week_starts": None, "week_ends": None})

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum(origin is not None for origin in (self.column, self.position, self.columns, self.value)) != 1:
            raise ValueError(
                "a column needs exactly one of 'column' (the provider's name), 'columns' (several), 'position' (its number) and 'value' (a constant)"
            )
        if self.join and self.columns is None:
            raise ValueError("expected 'join' beside 'columns' (those that are joined), came without")
        if self.part is not None and self.value is not None:
            raise ValueError("expected 'part' beside a column of the file, came beside 'value'")
        return self

    @model_validator(mode="after")
    def _one_week(self) -> Self:
        if sum(chosen is not None for chosen in (self.week_starts, self.week_ends, self.calendar, self.clean if self.clean == "week" else None)) > 1:
            raise ValueError("a week needs at most one of 'week_starts', 'week_ends', 'calendar' and 'clean: week'")
        if self.calendar is not None and self.date_format is not None:
            raise ValueError("a week needs at most one of 'calendar' and 'date_format': the calendar names the days")
        if self.grouping == self.decimal:
            raise ValueError(f"'grouping' and 'decimal' are both {self.decimal!r}: a number needs two signs")
        return self

    @field_validator("date_format")
    @classmethod
    def _readable_format(cls, date_format: str | None) -> str | None:
        if (
            date_format is not None
            and date_format not in {ISO_WEEK, SERIAL}
            and (problem := _refused_by_database("select try_strptime('', $value)", date_format))
        ):
            raise ValueError(f"expected a strptime format like %m/%d/%Y, came {date_format!r}: {problem}")
        return date_format

    @field_validator("calendar")
    @classmethod
    def _calendar_in_landing(cls, calendar: str | None) -> str | None:
        if calendar is not None and (not calendar or calendar.startswith("/") or ".." in PurePosixPath(calendar).parts):
            raise ValueError(f"expected a file within the provider's landing folder like 'calendars/retail.csv', came {calendar!r}")
        return calendar

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, timezone: str | None) -> str | None:
        if timezone is not None and (problem := _refused_by_database("select timezone($value, timestamp '2000-01-01')", timezone)):
            raise ValueError(f"expected a time zone like America/Chicago, came {timezone!r}: {problem}")
        return timezone

    def check(self, column: Column, numbers: set[str]) -> None:
        """Raise `RuleBroken` for a constant that is none of `column`'s kind, or a fraction of something that is no mapped number."""
        if self.fraction_of is not None and (self.fraction_of not in numbers or isinstance(self.value, str | None)):
            raise RuleBroken(
                f"expected a number as 'value' and one of the mapped columns {sorted(numbers)} as 'fraction_of', came {self.fraction_of!r}",
                "fraction_of",
            )
        for name, value in (("value", self.value), ("default", self.default)):
            if column.kind == "text" and isinstance(value, float) and not (value.is_integer() and abs(value) < 2**53):
                raise RuleBroken(f"expected a text for {column.name!r}, came a number that does not keep all its digits. Put it in quotes", name)
            if value is not None and (problem := _refused_by_database(f"select $value::{column.duckdb}", value)):
                raise RuleBroken(f"expected a {column.kind} for {column.name!r}, came {value!r}: {problem}", name)


class FileSpec(Strict):
    """One kind of file of a source."""

    files: str
    """Pattern relative to the provider's landing folder, like `shipments/*.csv`."""
    format: Literal["csv", "jsonl", "fixed", "parquet", "xlsx", "xls", "xlsb", "ods"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    """Any text encoding that Python knows: utf-8, cp1252, latin-1, ..."""
    fields: dict[Name, Span] | None = None
    """Columns of a file of fixed width: first and last position, in characters from 1, `[1, 6]`, or to the line's end, `[20]`."""
    member: Text | None = None
    """Name or pattern of the members of a ZIP archive that are the files; their names are `{member}` in the mapping."""
    sheet: Text | tuple[Text, ...] | None = None
    """Sheet of a workbook, or several of one form; where none is named, the only visible one with rows. The mapping reads its name as `{sheet}`."""
    sheets: Text | None = None
    """Pattern of sheets of the same form, like `2024-*`: all visible ones with rows that meet it."""
    header: int = Field(default=1, ge=0, le=1000)
    """Row (record) that names the columns; what stands above it is left aside. 0 or `none` for a file without names: `position` tells its columns. Of
    `format: fixed` the number of lines above the rows, 0 where none is given."""
    path: Text | None = None
    """What the file's name within landing tells, as a template (`shipments/{region}/{week}.csv`) or a regular expression with named groups: then
    `{region}` is a column."""
    lookup: Lookup | None = Field(default=None, alias="with")
    """Files that the rows are joined with by a key; a row whose key they do not know is put in quarantine."""
    melt: Melt | None = None
    """How a wide table becomes one row for each cell."""
    columns: dict[str, ColumnSpec]
    rows: tuple[RowFilter, ...] = ()
    """Which rows belong to this source: one condition, or a list of which each holds."""
    rows_end: RowsEnd | None = None
    """Row with which the rows end, like that of the totals."""
    line_id: Name | None = None
    """Column that identifies a line: a line that is there twice counts once."""
    duplicates: Literal["refuse", "sum"] = "refuse"
    """Meaning of rows with the same key: an error, or parts of a sum (invoice lines, days)."""
    counted: list[str] = Field(default_factory=list)
    """Names or patterns of files that count although they say what another file says: deliveries of their own that happen to be alike."""
    query: Name | None = None
    """SELECT on a PostgreSQL database whose rows are snapshotted into landing under the name `files`, as Parquet."""
    database: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]{0,62}$")
    """Environment variable with that database's address (`postgresql://...`), or, with `_FILE` behind its name, with the file that holds it."""
    since: date | None = None
    """First day of a query by week: each week that is over is asked for, its Monday as `$1`, the next as `$2`; `files` has a * for the Monday."""
    again: int = Field(default=8, ge=1, le=5200)
    """Weeks that are asked for again each time, since they may have changed; older ones are asked for once."""
    timeout: int = Field(default=600, ge=1, le=86_400)
    """Seconds that a query may take."""
    net_to_last_delivery: bool = False
    """For returns: move each credit to the week of the latest delivery of that product to that store that the file or the record knows."""

    @field_validator("delimiter")
    @classmethod
    def _readable_delimiter(cls, delimiter: str) -> str:
        if not delimiter.isascii() or delimiter in '\r\n"':
            raise ValueError(f"expected one ASCII character that is no quote and no end of a line, like ';' or \"\\t\", came {delimiter!r}")
        return delimiter

    @field_validator("files")
    @classmethod
    def _inside_landing(cls, pattern: str) -> str:
        return inside_landing(pattern)

    def with_known_at(self) -> Self:
        """The same file, known at the end of the provider's own weeks where they are no ISO weeks and it does not say when it became known."""
        week = self.columns.get("week")
        if week is None or "known_at" in self.columns or not (week.week_starts or week.week_ends or week.calendar):
            return self
        return self.model_copy(update={"columns": {**self.columns, "known_at": week}})

    @model_validator(mode="after")
    def _whole_query(self) -> Self:
        if (self.query is None) != (self.database is None):
            raise RuleBroken("a source that is a query needs both 'query' and 'database'", "query" if self.query is not None else "database")
        if self.query is None:
            return self
        if self.format != "parquet":
            raise RuleBroken(f"expected 'format: parquet' for a query, whose rows are kept with their types, came {self.format!r}", "format")
        if self.files.count("*") != (0 if self.since is None else 1) or not self.files.endswith(".parquet") or set("?[") & set(self.files):
            wanted = "a file's name like 'erp/stores.parquet'" if self.since is None else "a name with one * like 'erp/shipments-*.parquet'"
            raise RuleBroken(f"expected {wanted} for the snapshots of a query, came {self.files!r}", "files")
        if self.since is not None and not {"$1", "$2"} <= set(_PARAMETER.findall(self.query)):
            raise RuleBroken("a query with 'since' needs the parameters $1 (a week's Monday) and $2 (the next Monday)", "query")
        return self

    @model_validator(mode="before")
    @classmethod
    def _fixed_width_has_no_header(cls, values: object) -> object:
        return {"header": 0, **values} if isinstance(values, dict) and values.get("format") == "fixed" else values

    @field_validator("header", mode="before")
    @classmethod
    def _no_header(cls, header: object) -> object:
        return 0 if header == "none" else header

    @field_validator("path")
    @classmethod
    def _names_parts(cls, path: str | None) -> str | None:
        if path is not None:
            path_names(path)
        return path

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.sheet is not None or self.sheets is not None) and self.format not in WORKBOOKS:
            raise RuleBroken(
                f"expected a sheet of a workbook ({', '.join(WORKBOOKS)}), came 'format: {self.format}'", *_given(self, "sheets", "sheet")
            )
        if self.sheet is not None and self.sheets is not None:
            raise RuleBroken("expected one of 'sheet' (its name) and 'sheets' (a pattern of names), came both", "sheets")
        if (self.format == "fixed") != (self.fields is not None):
            raise RuleBroken(
                "expected 'fields', the positions of the columns, for 'format: fixed' and for no other", *_given(self, "fields", "format")
            )
        told = self.told_beside
        if self.lookup is not None:
            if unknown := sorted({*_BESIDE.findall(self.lookup.files)} - told):
                raise RuleBroken(f"expected names of 'path' in braces, which are {sorted(told) or 'none'}, came {unknown}", "with", "files")
            try:
                FileSpec.model_validate({"files": "*", "columns": {}, **self.lookup.layout()})
            except ValidationError as error:
                first = error.errors()[0]
                at = first.get("ctx", {}).get("error")
                raise RuleBroken(first["msg"].removeprefix("Value error, "), "with", *first["loc"], *getattr(at, "at", ())) from error
        for name, column in self.columns.items():
            for source in column.sources:
                if _BESIDE.fullmatch(source) and column.position is None and source not in told:
                    raise RuleBroken(
                        f"expected a column, or one of {sorted(told) or 'none'}, which stand beside the file's own, came {source!r}", "columns", name
                    )
            if column.position is not None and self.format == "jsonl":
                raise RuleBroken("expected a key's name as 'column', since keys of JSON lines have no order, came a position", "columns", name)
        return self

    @property
    def told_beside(self) -> set[str]:
        """Columns that do not stand in the file: what its name, its sheet or its archive tells."""
        names = {f"{{{name}}}" for name in path_names(self.path)} if self.path is not None else set()
        return names | ({"{sheet}"} if self.format in WORKBOOKS else set()) | ({"{member}"} if self.member is not None else set())

    @property
    def is_divided(self) -> bool:
        """True where a row is no record of a single table: it is found by its member, its sheet or its cell too."""
        return self.melt is not None or isinstance(self.sheet, tuple) or self.sheets is not None or self.member is not None

    def from_name(self, name: str) -> dict[str, str]:
        """What the file's name tells, by column.

        Raises
        ------
        LandingFileRefused
            If the name is not of the form that `path` says.
        """
        if self.path is None:
            return {}
        values = path_values(self.path, name)
        if values is None:
            raise LandingFileRefused(
                f"{name}: expected a name like {self.path!r}, which tells {', '.join(path_names(self.path))}. Rename the file, or correct 'path' in "
                "the provider YAML."
            )
        return {f"{{{part}}}": value for part, value in values.items()}

    def used(self, names: Sequence[str]) -> set[str]:
        """Columns that the mapping reads as they are, by name or by position among `names`."""
        positions = {names[column.position - 1] for column in self.columns.values() if column.position is not None and column.position <= len(names)}
        return {source for column in self.columns.values() for source in column.sources} | positions | self._beside_mapping()

    def melted(self, names: Sequence[str]) -> list[str]:
        """Columns of a wide table among `names` that become rows."""
        return self.melt.chosen(names, self.used(names)) if self.melt is not None else []

    def _beside_mapping(self) -> set[str]:
        others = (
            self.line_id,
            *(self.lookup.by if self.lookup else ()),
            *(condition.column for condition in self.rows),
            self.rows_end.column if self.rows_end else None,
        )
        return {column for column in others if column is not None}

    def wanted(self, contract: Contract) -> dict[str, bool]:
        """Columns of the file that the mapping reads, each with whether it has to be there."""
        found: dict[str, bool] = {}
        for standard, column in self.columns.items():
            for source in column.sources:
                found[source] = found.get(source, False) or (contract[standard].required and column.default is None)
        return found | dict.fromkeys(self._beside_mapping(), True)

    @property
    def adds_up(self) -> bool:
        """True where rows of several files add up without line numbers that tell them apart: what is there twice counts twice."""
        return self.duplicates == "sum" and self.line_id is None

    @field_validator("rows", mode="before")
    @classmethod
    def _one_condition(cls, value: object) -> object:
        return [value] if isinstance(value, dict) else value

    @field_validator("columns", mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: {"column": spec} if isinstance(spec, str) else spec for name, spec in value.items()}


class ProviderSpec(Strict):
    """A data provider."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """A plain key: it is a folder's name below landing."""
    description: str
    unknown_products: Literal["refuse", "accept"] = "refuse"
    """Whether a delivered product may be missing in the products file; accepted ones get a case pack of 1 and no attributes."""
    regions: dict[str, str] = Field(default_factory=dict)
    """Provider's spelling of a region -> region key, where lower case and underscores are not enough."""
    stations: dict[str, tuple[Number, Number]] = Field(default_factory=dict)
    """Weather place -> latitude and longitude: stores whose file names no place get the nearest one, with its distance."""
    refuse_above: float = Field(default=0.5, gt=0, le=1)
    """Share of broken rows above which a file is refused whole: it is then more likely another file than a file with faults."""
    sources: dict[str, list[FileSpec]]

    @property
    def additive(self) -> list[str]:
        """Sources whose files hold lines that add up, rather than reports that replace each other."""
        return [source for source, files in self.sources.items() if any(spec.duplicates == "sum" for spec in files)]

    @field_validator("sources")
    @classmethod
    def _known(cls, value: dict[str, list[FileSpec]]) -> dict[str, list[FileSpec]]:
        for source, files in value.items():
            if source not in SOURCES:
                raise RuleBroken(f"source {source!r} is not a standard source; expected one of {', '.join(SOURCES)}", source)
            for number, spec in enumerate(files):
                _check_columns(source, spec, source, number)
        snapshots = [(source, spec.files) for source, files in value.items() for spec in files if spec.query is not None]
        for source, name in snapshots:
            if [other for _, other in snapshots].count(name) > 1:
                raise RuleBroken(f"two queries are snapshotted into {name!r}; give each a name of its own under 'files'", source)
        if missing := [source for source, contract in SOURCES.items() if contract.needed and source not in value]:
            raise ValueError(f"sources {missing} are missing: without them nothing can be forecast")
        return value


def _given(spec: FileSpec, *keys: str) -> list[str]:
    """The first of some keys that a file's part of the YAML gives."""
    return [key for key in keys if getattr(spec, key) is not None][:1]


def _check_columns(source: str, spec: FileSpec, *at: str | int) -> None:
    """Raise `RuleBroken` where a file's columns are not those of its source's contract."""
    contract = SOURCES[source]
    if unknown := sorted(set(spec.columns) - set(contract.names)):
        raise RuleBroken(
            f"source {source!r}: {unknown} are not columns of its contract; expected {', '.join(contract.names)}", *at, "columns", unknown[0]
        )
    required = {column.name for column in contract.columns if column.required} - contract.completed
    if absent := sorted(required - set(spec.columns)):
        raise RuleBroken(f"source {source!r}: required columns {absent} are not mapped", *at, "columns")
    if spec.net_to_last_delivery and source != "returns":
        raise RuleBroken(f"expected 'net_to_last_delivery' for returns alone, came for {source}", *at, "net_to_last_delivery")
    if (cases := [name for name, column in spec.columns.items() if column.unit == "case"]) and not (contract.sliced and "product_id" in spec.columns):
        raise RuleBroken(
            f"expected 'unit: case' for rows of a product, whose case pack is known, came for {source}", *at, "columns", cases[0], "unit"
        )
    numbers = {name for name, column in spec.columns.items() if contract[name].kind in {"integer", "number"} and column.fraction_of is None}
    for name, column in spec.columns.items():
        try:
            column.check(contract[name], numbers - {name})
        except RuleBroken as error:
            raise RuleBroken(str(error), *at, "columns", name, *error.at) from error


@lru_cache(maxsize=1024)
def _refused_by_database(query: str, value: str | float) -> str | None:
    """Objection of the database that will read the files to a value, which goes to it as a parameter; None where it takes it."""
    with open_database() as connection:
        try:
            connection.execute(query, {"value": value})
        except duckdb.Error as error:
            return str(error).strip().splitlines()[0]
    return None


def load_provider(name: str, base: Path | None = None) -> ProviderSpec:
    """Load a built-in provider by name, or one from a YAML file.

    Parameters
    ----------
    name
        Name of a built-in provider, or the path of a YAML file.
    base
        Folder that a relative path starts from.

    Raises
    ------
    ConfigurationError
        If there is no such provider or its file breaks the rules; the message lists what is available and each rule broken.
    """
    is_file = name.endswith((".yaml", ".yml"))
    if not is_file and name not in built_in_providers():
        raise _no_provider(name)
    path = BUILT_IN / f"{name}.yaml"
    if is_file:
        path = Path(name) if base is None or Path(name).is_absolute() else base / name
    if not path.exists():
        raise _no_provider(name)
    return read_model(path, ProviderSpec, "Provider file")


def _no_provider(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"There is no provider {name!r}: expected one of {', '.join(built_in_providers())}, or the path of a provider YAML "
        "(see README, 'Bring your own data')."
    )


def built_in_providers() -> list[str]:
    """Names of the providers that come with Shelfcast."""
    return sorted(path.stem for path in BUILT_IN.glob("*.yaml"))
