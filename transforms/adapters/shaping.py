"""SQL that brings a file's table into rows: where they end, wide tables melted, what the file's name tells. What values mean is `mapping`'s."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transforms.adapters.formats.headers import PLACE, RECORD, ROW, SHAPE
from transforms.adapters.spec import FileSpec, RowsEnd
from transforms.errors import LandingFileRefused
from transforms.lake.database import literal, quoted


@dataclass(frozen=True, slots=True)
class Shaped:
    """SQL of a table's rows, and of its counts: rows behind the end, records that are melted, cells of those without a value."""

    rows: str
    counts: str
    cells: int
    """Cells of each record that is melted."""


def shaped(spec: FileSpec, names: Sequence[str], absent: Sequence[str], told: Mapping[str, str], place: str, offset: int) -> Shaped:
    """Bring the view `file` into rows.

    Parameters
    ----------
    names, absent
        Columns of the file, and mapped ones that it lacks and that are taken as empty.
    told
        Column -> text of what stands beside the file: its name, its sheet.
    place
        How messages name the table within the file, like `sheet 'Ohio', `.
    offset
        Highest number of a row so far, since several tables make one.
    """
    positions = {column.source: column.position for column in spec.columns.values() if column.position is not None and column.position <= len(names)}
    beside = [
        *(f"{quoted(names[position - 1])} as {quoted(source)}" for source, position in positions.items() if source is not None),
        *(f"{literal(text)} as {quoted(name)}" for name, text in told.items()),
        *(f"null::varchar as {quoted(name)}" for name in absent),
    ]
    inside = _before_end(spec.rows_end) if spec.rows_end is not None else "true"
    melted = spec.melted(names)
    ended = f"(select count(*) from file where not ({inside}))" if spec.rows_end is not None else "0"
    number, where, cells = f"{ROW} + {offset}", inside, ""
    counts = f"select {ended}, 0, 0"
    kept = ", ".join([*map(quoted, names), *beside])
    divided = f", {ROW} as {RECORD}, {literal(place)} as {PLACE}" if spec.is_divided else ""
    if not melted or spec.melt is None:
        return Shaped(f"select {number} as {ROW}, {SHAPE}{divided}, {kept} from file where {where}", counts, 0)
    kept = ", ".join([*(quoted(name) for name in names if name not in melted), *beside])
    width, listed = len(melted) + 1, ", ".join(map(quoted, melted))
    name, value = quoted(spec.melt.name), quoted(spec.melt.value)
    filled = f"{value} is not null and trim({value}::varchar) <> ''"
    cells = f"""
        with melted as (
            select ({ROW} - 1) * {width} + {offset} + unnest(range(1, {width})) as {ROW}, {SHAPE}{divided}, {kept},
                unnest([{", ".join(map(literal, melted))}]) as {name}, unnest([{listed}]) as {value}
            from file where {SHAPE} is null and {inside}
        ),
        unmelted as (
            select {ROW} * {width} + {offset} as {ROW}, {SHAPE}{divided}, {kept}, null::varchar as {name}
            from file where {SHAPE} is not null and {inside}
        )
        select * from melted where {filled} union all by name select * from unmelted
    """
    empty = f"len(list_filter([{listed}], lambda cell: cell is null or trim(cell::varchar) = ''))"
    counts = f"select {ended}, count(*), coalesce(sum({empty}), 0)::bigint from file where {SHAPE} is null and {inside}"
    return Shaped(cells, counts, len(melted))


def refuse_same_names(spec: FileSpec, names: Sequence[str], told: Mapping[str, str], name: str) -> None:
    """Raise `LandingFileRefused` where the file has a column of a name that the provider YAML gives to something else."""
    melted = spec.melted(names)
    given = {*told, *(spec.lookup.columns if spec.lookup is not None else ()), *((spec.melt.name, spec.melt.value) if spec.melt is not None else ())}
    lower = {column.lower() for column in given}
    if same := [column for column in names if column.lower() in lower and column not in melted]:
        raise LandingFileRefused(
            f"{name}: the columns {same} stand in the file, and the provider YAML gives their names to something else. Choose other names there."
        )


def refuse_nothing_melted(spec: FileSpec, names: Sequence[str], name: str) -> None:
    """Raise `LandingFileRefused` where a wide table has no column to be melted."""
    if spec.melt is not None and not spec.melted(names):
        raise LandingFileRefused(
            f"{name}: expected columns like {spec.melt.columns!r} to be melted, came {list(names)[:20]}. Correct 'melt' in the provider YAML."
        )


def place_of(spec: FileSpec) -> str:
    """SQL over `raw` of where a row stands within its file, as messages say it."""
    return f"raw.{PLACE} || 'row ' || raw.{RECORD}" if spec.is_divided else f"'row ' || raw.{ROW}"


def _before_end(end: RowsEnd) -> str:
    text = f"trim({quoted(end.column)}::varchar)"
    found = f"{text} = {literal(end.equals)}" if end.equals is not None else f"starts_with({text}, {literal(end.starting_with or '')})"
    return f"{ROW} < coalesce((select min({ROW}) from file where {found}), 9223372036854775807)"
