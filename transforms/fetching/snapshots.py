"""From queries to files: which snapshots of a provider's queries there are to be in landing, and writing those that changed, each in one step."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.adapters import FileSpec, ProviderSpec
from transforms.calendar import Week
from transforms.errors import ConfigurationError
from transforms.fetching.outcome import Fetched
from transforms.fetching.postgresql import DatabaseUnreachable, QueryFailed, Snapshot, snapshot
from transforms.lake.database import literal, open_database, own_database
from transforms.lake.tables import Lake
from transforms.landing import folder

_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class _Wanted:
    source: str
    spec: FileSpec
    name: str
    parameters: tuple[date, ...]


def fetch_queries(
    lake: Lake, provider: ProviderSpec, value_of: Callable[[str], str], today: date, progress: Callable[[str], None], found: Fetched
) -> None:
    """Snapshot the provider's queries into landing; what cannot be fetched stays as it stands there.

    Parameters
    ----------
    today
        Of a query by week, weeks that end later are not asked for: a week in part would look like one of few deliveries.
    """
    wanted = list(_wanted(provider, folder(lake, provider), today))
    for database in dict.fromkeys(str(one.spec.database) for one in wanted):
        of_database = [one for one in wanted if one.spec.database == database]
        try:
            with snapshot(_address(database, value_of), database) as state:
                for one in of_database:
                    _fetch_one(lake, provider, state, one, found, progress)
        except (DatabaseUnreachable, ConfigurationError) as problem:
            done = {*found.written, *found.unchanged}
            names = [one.name for one in of_database if one.name not in done]
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            found.left_out.append(f"{names[0]}{more} stayed as fetched before: {problem}")


def _address(variable: str, value_of: Callable[[str], str]) -> str:
    if address := value_of(variable):
        return address
    raise DatabaseUnreachable(
        f"the variable {variable} is not set: expected the address of a database like postgresql://user:password@host:5432/database there, or the "
        f"path of a file with it in {variable}_FILE."
    )


def _wanted(provider: ProviderSpec, top: Path, today: date) -> Iterator[_Wanted]:
    for source, specs in provider.sources.items():
        for spec in specs:
            if spec.query is None:
                continue
            if spec.since is None:
                yield _Wanted(source, spec, spec.files, ())
                continue
            monday, last = Week.containing(spec.since).monday, Week.containing(today).monday
            while monday < last:
                name = spec.files.replace("*", str(monday))
                # Older weeks are asked for once.
                if last - monday <= spec.again * _WEEK or not (top / name).exists():
                    yield _Wanted(source, spec, name, (monday, monday + _WEEK))
                monday += _WEEK


def _fetch_one(lake: Lake, provider: ProviderSpec, state: Snapshot, one: _Wanted, found: Fetched, progress: Callable[[str], None]) -> None:
    progress(f"fetching {one.name} from {one.spec.database}")
    top = folder(lake, provider)
    target, drafts = top / one.name, top.parent
    # Drafts lie on the same disk, where no pattern finds what an interruption leaves.
    rows, draft = drafts / ".fetched.rows.part", drafts / ".fetched.part"
    drafts.mkdir(parents=True, exist_ok=True)
    try:
        count = _write_rows(state, one, rows)
        if not count and one.parameters and not target.exists():
            # A week in which nothing happened, and nothing had: no file says so.
            return
        _sort(rows, draft)
        if _same(draft, target):
            found.unchanged.append(one.name)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.replace(target)
        found.written.append(one.name)
    except QueryFailed as problem:
        found.left_out.append(f"{one.name} ({one.source}) stayed as fetched before: {problem}")
    finally:
        rows.unlink(missing_ok=True)
        draft.unlink(missing_ok=True)


def _write_rows(state: Snapshot, one: _Wanted, path: Path) -> int:
    count = 0
    with state.read(str(one.spec.query), one.parameters, one.spec.timeout) as found, pq.ParquetWriter(path, found.schema) as writer:
        for batch in found.batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _sort(rows: Path, target: Path) -> None:
    """Write the rows in an order of their own: a database hands the same rows out in any, and the same rows are to be the same file."""
    with own_database() as connection:
        # One thread: how many there are decides how rows are put into groups.
        connection.execute("set threads = 1")
        connection.execute(
            f"copy (select * from read_parquet({literal(str(rows))}) order by all) to {literal(str(target))} (format parquet, compression zstd)"
        )


def _same(draft: Path, target: Path) -> bool:
    """Whether a snapshot holds the same rows, whichever version of a library wrote it."""
    with suppress(pa.ArrowInvalid, FileNotFoundError):
        if not pq.read_schema(draft).equals(pq.read_schema(target)):
            return False
        with open_database() as connection:
            new, old = (f"from read_parquet({literal(str(path))})" for path in (draft, target))
            differing = f"select (select count(*) {new}) <> (select count(*) {old}) or exists(({new}) except all ({old}))"
            return not connection.execute(differing).fetchall()[0][0]
    return False
