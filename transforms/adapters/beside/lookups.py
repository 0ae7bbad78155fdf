"""Lookup files (`with` in a provider file): rows of headers, stores or prices by a key, which a file's own rows are joined with.

What a lookup says is no source of its own: it holds where a row names its key. Calendars are `calendars`'.
"""

import glob
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import duckdb
import pyarrow as pa

from transforms.adapters.beside.calendars import landing_folder
from transforms.adapters.expressions import CELL, Kinds, written
from transforms.adapters.formats.headers import ROW, SHAPE, UNMATCHED
from transforms.adapters.formats.sandbox import database_of
from transforms.adapters.loading import Loaded, files_of, tables
from transforms.adapters.spec import WORKBOOKS, ColumnSpec, FileSpec, Lookup
from transforms.adapters.validation import Rule
from transforms.errors import LandingFileRefused
from transforms.lake.database import open_database, quoted
from transforms.patterns import as_glob

MAX_FILES = 5_000
_OURS, _N = "__key{}__", "__n__"

Found = tuple[str, str, int, int]
"""Name, path, size and time of change of a lookup file."""


class Lookups:
    """Lookup files as they stand at the beginning of a look at landing: each pattern is looked for once, however many files name it."""

    def __init__(self) -> None:
        self._found: dict[tuple[Path, str], list[Found]] = {}
        self._fingerprints: dict[tuple[Path, str], str] = {}

    def files(self, spec: FileSpec, top: Path, name: str) -> list[Found]:
        """Lookup files of the file called `name` in the folder `top`, in the order of their names; links that lead out are none."""
        if spec.lookup is None:
            return []
        at = top, _pattern(spec, name)
        if at not in self._found:
            self._found[at] = _matching(*at)
        if len(self._found[at]) > MAX_FILES:
            raise LandingFileRefused(
                f"{name}: expected up to {MAX_FILES:,} files like {spec.lookup.files!r}, came {len(self._found[at]):,}. Name those that belong to "
                "it: with 'path', parts of its own name can stand in the pattern."
            )
        return self._found[at]

    def fingerprint(self, specs: Iterable[FileSpec], top: Path, name: str) -> str:
        """What stands in the lookups of a file: it is read again when that changes. Empty where there are none."""
        return "".join(self._fingerprint(spec, top, name) for spec in specs)

    def _fingerprint(self, spec: FileSpec, top: Path, name: str) -> str:
        try:
            files = self.files(spec, top, name)
        except LandingFileRefused:
            # The file's name, or too many lookups: its reader says so.
            return ""
        if not files:
            return ""
        at = top, _pattern(spec, name)
        if at not in self._fingerprints:
            content = "".join(f"{lookup} {_digest(path, size, changed)}" for lookup, path, size, changed in files)
            self._fingerprints[at] = hashlib.sha256(content.encode()).hexdigest()
        return self._fingerprints[at]

    def names(self, specs: Iterable[FileSpec], top: Path, name: str) -> set[str]:
        """Names of the lookups of a file in the landing folder."""
        try:
            return {found for spec in specs for found, *_ in self.files(spec, top, name)}
        except LandingFileRefused:
            return set()


def _pattern(spec: FileSpec, name: str) -> str:
    """The lookup's pattern as `glob` writes it, with the parts of the file's name in it, whose signs are themselves."""
    pattern = as_glob(spec.lookup.files) if spec.lookup is not None else ""
    for part, value in spec.from_name(name).items():
        pattern = pattern.replace(part, glob.escape(value))
    return pattern


def _matching(top: Path, pattern: str) -> list[Found]:
    inside = os.path.realpath(top)
    paths = sorted(path for path in top.glob(pattern) if path.is_file() and Path(os.path.realpath(path)).is_relative_to(inside))
    stats = [(path, path.stat()) for path in paths]
    return [(path.relative_to(top).as_posix(), str(path), found.st_size, found.st_mtime_ns) for path, found in stats]


def joined(connection: duckdb.DuckDBPyConnection, spec: FileSpec, loaded: Loaded, path: Path, name: str, lookups: Lookups) -> Loaded:
    """Join the table `raw` with the lookup's columns.

    Raises
    ------
    LandingFileRefused
        If there is no lookup file, or one of them cannot be read.
    """
    if spec.lookup is None:
        return loaded
    files = lookups.files(spec, landing_folder(path, name), name)
    if not files:
        raise LandingFileRefused(f"{name}: its rows need a file like {spec.lookup.files!r}, and none is in landing. Drop it: then this one is read.")
    keys = [written(ColumnSpec(column=ours), loaded.kinds) for ours in spec.lookup.by]
    try:
        connection.register("lookup", _table(spec.lookup.model_dump_json(), tuple(files)))
    except LandingFileRefused as error:
        raise LandingFileRefused(f"{name}: its rows are joined with a file that cannot be read: {error}") from error
    taken = ", ".join(f"lookup.{quoted(column)}" for column in spec.lookup.columns)
    on = " and ".join(f"{key} = lookup.{_OURS.format(number)}" for number, key in enumerate(keys))
    connection.execute("alter table raw rename to unjoined")
    connection.execute(
        f"""
        create temp table raw as
        select unjoined.*, case when lookup.{_N} is null then 'none' when lookup.{_N} > 1 then 'several' end as {UNMATCHED}, {taken}
        from unjoined left join lookup on {on} order by unjoined.{ROW}
        """
    )
    connection.execute("drop table unjoined")
    kind = CELL if spec.lookup.format in WORKBOOKS else "VARCHAR"
    return replace(loaded, kinds={**loaded.kinds, **dict.fromkeys(spec.lookup.columns, kind)})


def unmatched_rule(lookup: Lookup) -> Rule:
    """The rule that each row of a file has one row of its lookup."""
    advice = f"Drop the file that holds it, or correct the key; {lookup.files} has to say one thing of each."
    return Rule(_key(lookup), f"{UNMATCHED} is not null", f"a key of which {lookup.files} says one thing", advice)


def key_as_written(lookup: Lookup, kinds: Kinds) -> dict[str, str]:
    """The key's name as rules have it -> SQL over `raw` of the key."""
    texts = [f"coalesce({written(ColumnSpec(column=ours), kinds)}, '(empty)')" for ours in lookup.by]
    between = " || ', ' || "
    return {_key(lookup): f"({between.join(texts)})"}


def _key(lookup: Lookup) -> str:
    return ", ".join(lookup.by)


@lru_cache(maxsize=4096)
def _digest(path: str, size: int, changed: int) -> str:
    del size, changed  # with them another content of the same path is another entry
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return f"unread {error.errno}"


# All files of a source are most often joined with the same lookups.
@lru_cache(maxsize=1)
def _table(settings: str, files: Sequence[Found]) -> pa.Table:
    """Rows of lookup files by key: the columns that are taken, and how many different rows a key has."""
    lookup = Lookup.model_validate_json(settings)
    parts = [part for found, path, _, _ in files for part in _read(lookup, Path(path), found)]
    keys = ", ".join(_OURS.format(number) for number in range(len(lookup.by)))
    columns = ", ".join(map(quoted, lookup.columns))
    with open_database() as connection:
        connection.register("parts", pa.concat_tables(parts))
        first = ", ".join(f"any_value({quoted(column)}) as {quoted(column)}" for column in lookup.columns)
        single = ", ".join(f"case when {_N} = 1 then {quoted(column)} end as {quoted(column)}" for column in lookup.columns)
        return connection.execute(
            f"""
            with rows as (select distinct {keys}, {columns} from parts),
            by_key as (select {keys}, {first}, count(*) as {_N} from rows group by {keys})
            select {keys}, {single}, {_N} from by_key
            """
        ).to_arrow_table()


def _read(lookup: Lookup, path: Path, found: str) -> list[pa.Table]:
    """Tables of one lookup file; records of another length than its header have no row, so that who needs them is told."""
    spec = FileSpec.model_validate({"files": found, "columns": {}, **lookup.layout()})
    read = []
    try:
        with files_of(spec, path, found) as members, database_of([file for _, file in members], found) as (connection, links):
            for (member, _), link in zip(members, links, strict=True):
                for _place, _told, _records in tables(connection, spec, link, found, member):
                    kinds = {row[0]: row[1] for row in connection.execute("describe select * from file").fetchall()}
                    if missing := [column for column in (*lookup.by.values(), *lookup.columns) if column not in kinds]:
                        there = [column for column in kinds if column not in {ROW, SHAPE}]
                        raise LandingFileRefused(f"{found}: columns {missing} are missing; came with {there}.")
                    keys = [f"{written(ColumnSpec(column=theirs), kinds)} as {_OURS.format(n)}" for n, theirs in enumerate(lookup.by.values())]
                    taken = [f"{written(ColumnSpec(column=column), kinds)} as {quoted(column)}" for column in lookup.columns]
                    query = f"select {', '.join([*keys, *taken])} from file where {SHAPE} is null"
                    read.append(connection.execute(query).to_arrow_table())
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise LandingFileRefused(f"{found}: expected a readable {lookup.format} file, but reading failed: {first} Drop it again.") from error
    return read
