"""The files of a folder by kind: alike in name, header and way of writing, with the pattern that finds them and a sample of their rows."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path, PurePosixPath

import pyarrow as pa

from transforms.adapters.formats.contents import head_of
from transforms.adapters.spec import named_by_path
from transforms.drafting.profiles import Calendars, Profile, profiles_of, unique_share
from transforms.drafting.samples import Sample, format_of, general_name, samples_of
from transforms.drafting.words import concepts
from transforms.errors import LandingFileRefused
from transforms.patterns import meets

Progress = Callable[[str], None]
MOST_FILES = 100_000
"""Files of a folder that are looked at by name."""
OPENED = 6
"""Files of each kind that are opened: the first, the last, and some between."""
MOST_ROWS = 400_000
"""Rows of a kind's sample."""
TELLING = frozenset(
    {"RETURN", "SHIPPED", "SOLD", "FORECAST", "OBSERVED", "EVENT", "HOLIDAY", "PROMOTION", "STORE", "PRODUCT", "WEATHER", "DEMOGRAPHICS"}
)
"""Concepts by which a file's name tells what it holds: files that differ in them are of different kinds whatever their headers are."""
_SIGNS = re.compile(r"[*?]")
_OF_TIME = re.compile(r"(19|20)\d\d|\d{6,}|\d+[-_.]\d+")


@dataclass(frozen=True)
class Kind:
    """Files of one kind.

    Attributes
    ----------
    patterns
        Patterns relative to the folder that find these files and no others.
    files
        Their names.
    sample
        Rows of some of them.
    """

    patterns: tuple[str, ...]
    files: tuple[str, ...]
    sample: Sample
    path: str | None = None
    """Template of what differs in the files' names, whose parts are columns of the sample in braces."""
    calendars: Calendars = field(default_factory=dict)
    """Calendars of the folder, by which numbers of periods are weeks."""

    @property
    def name(self) -> str:
        """How a person is told of it."""
        inside = [f"{key} {value}" for key in ("member", "sheet") if (value := self.sample.settings.get(key))]
        beside = f" ({', '.join(inside)})" if inside else ""
        return f"{self.patterns[0]}{beside}"

    @cached_property
    def profiles(self) -> dict[str, Profile]:
        """Its columns by name."""
        return profiles_of(self.sample, self.calendars)

    def uniqueness(self, columns: Iterable[str], within_files: bool = False) -> float:
        """Share of the sample's rows that these columns tell apart; rows of other files are others, where it is asked within files."""
        return unique_share(self.sample, list(columns), [length for _, length in self.sample.origins] if within_files else ())


@dataclass
class Found:
    """What a folder holds: kinds of files, and what is left aside, each with the reason."""

    kinds: list[Kind] = field(default_factory=list)
    aside: dict[str, str] = field(default_factory=dict)


def kinds_of(folder: Path, progress: Progress) -> Found:
    """Group the files of a folder; files are opened, some of each kind, and nothing is changed."""
    found = Found()
    names = _names(folder, found)
    progress(f"{len(names)} files")
    buckets: dict[str, list[str]] = defaultdict(list)
    for name in names:
        buckets[general_name(name)].append(name)
    parts: list[tuple[list[str], Sample]] = []
    for pattern, members in buckets.items():
        progress(f"looking at {pattern} ({len(members)} files)" if len(members) > 1 else f"looking at {pattern}")
        parts += _of_bucket(folder, members, found)
    parts = _merged(parts)
    calendars = {files[0]: periods for files, sample in parts if len(files) == 1 and (periods := _periods(sample))}
    parts = [(files, sample) for files, sample in parts if files[0] not in calendars]
    found.kinds = [_with_path(Kind(tuple(_patterns(files, names)), tuple(files), sample, calendars=calendars)) for files, sample in parts]
    return found


def _periods(sample: Sample) -> dict[str, date]:
    """The first day of each period, of a file that is a calendar as provider files name one; none of others."""
    if not {"period", "first_day"} <= {*sample.names} or sample.settings != {"format": "csv"}:
        return {}
    try:
        days = [date.fromisoformat(day or "") for day in sample.table["first_day"].to_pylist()]
    except ValueError:
        return {}
    return {period: day for period, day in zip(sample.table["period"].to_pylist(), days, strict=True) if period is not None}


def _with_path(kind: Kind) -> Kind:
    """Add what the files' names tell apart: a store, a region or a day may stand there alone."""
    [pattern, *others] = kind.patterns
    if others or "*" not in pattern or "?" in pattern or len(kind.sample.origins) < 2:
        return kind
    texts = pattern.split("*")
    names = [f"part{number or ''}" for number in range(len(texts) - 1)]
    template = texts[0] + "".join(f"{{{name}}}{text}" for name, text in zip(names, texts[1:], strict=True))
    found = [re.fullmatch(named_by_path(template), name) for name, _ in kind.sample.origins]
    table = kind.sample.table
    if any(match is None for match in found) or sum(rows for _, rows in kind.sample.origins) != table.num_rows:
        return kind
    for name in names:
        values = [match[name] for match, (_, rows) in zip(found, kind.sample.origins, strict=True) if match for _ in range(rows)]
        if len(set(values)) > 1:
            table = table.append_column(f"{{{name}}}", pa.array(values, pa.string()))
    return replace(kind, sample=replace(kind.sample, table=table), path=template)


def _names(folder: Path, found: Found) -> list[str]:
    """The files that may be read, by their names relative to the folder."""
    names: list[str] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            continue
        if len(names) >= MOST_FILES:
            found.aside["..."] = f"more than {MOST_FILES:,} files: the others were not looked at"
            break
        if any(part.startswith((".", "~$")) for part in PurePosixPath(name).parts):
            found.aside[name] = "a hidden or lock file"
        elif not path.is_file():
            found.aside[name] = "no file that can be opened"
        elif not name.isprintable():
            found.aside[ascii(name)] = "its name holds characters that cannot be shown: rename it"
        elif (reason := _unreadable(path)) is not None:
            found.aside[name] = reason
        elif format_of(path) is None:
            found.aside[name] = "of no format that can be read (csv, jsonl, fixed width, parquet, xlsx, xls, xlsb, ods, zip of them)"
        else:
            names.append(name)
    return names


def _unreadable(path: Path) -> str | None:
    try:
        head_of(path)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None


def _of_bucket(folder: Path, members: Sequence[str], found: Found) -> list[tuple[list[str], Sample]]:
    """Files of one general name, apart where their headers or ways of writing differ."""
    opened: list[tuple[str, Sample]] = []
    chosen = _spread(members, OPENED)
    for name in chosen:
        opened += _opened(folder, name, found)
    groups = _alike(opened)
    sheets = {(sample.settings.get("member"), sample.settings.get("sheet")) for _, sample in groups}
    if len(groups) == len(sheets) and all(len(files) + len(found.aside.keys() & set(chosen)) >= len(chosen) for files, _ in groups):
        # All that were opened are alike (sheet by sheet), so the others are taken for alike.
        readable = [name for name in members if name not in found.aside]
        return [(readable, sample) for _, sample in groups]
    for name in members:
        if name not in chosen:
            opened += _opened(folder, name, found)
    return _alike(opened)


def _opened(folder: Path, name: str, found: Found) -> list[tuple[str, Sample]]:
    try:
        return [(name, replace(sample, origins=((name, sample.table.num_rows),))) for sample in samples_of(folder / name, name)]
    except LandingFileRefused as error:
        found.aside[name] = str(error).removeprefix(f"{name}: ")
        return []


def _alike(opened: Sequence[tuple[str, Sample]]) -> list[tuple[list[str], Sample]]:
    groups: list[tuple[list[str], Sample]] = []
    for name, sample in opened:
        for position, (files, other) in enumerate(groups):
            if (joined := _joined(other, sample)) is not None:
                groups[position] = ([*files, name] if name not in files else files, joined)
                break
        else:
            groups.append(([name], sample))
    return groups


def _joined(one: Sample, other: Sample) -> Sample | None:
    """Both samples as one; None where they are not of one kind."""
    settings = dict(one.settings)
    if one.settings != other.settings:
        encodings = {sample.settings.get("encoding") for sample in (one, other) if not sample.plain}
        same = {key: value for key, value in one.settings.items() if key != "encoding"} == {
            k: v for k, v in other.settings.items() if k != "encoding"
        }
        if not same or len(encodings) > 1:
            return None
        settings.pop("encoding", None)
        if encoding := next(iter(encodings), None):
            settings["encoding"] = encoding
    shared, all_names = {*one.names} & {*other.names}, {*one.names} | {*other.names}
    if len(shared) < 0.75 * len(all_names) or any(one.kinds.get(name) != other.kinds.get(name) for name in shared):
        return None
    room = max(MOST_ROWS - one.table.num_rows, 1000)
    table = pa.concat_tables([one.table, other.table.slice(0, room)], promote_options="default")
    return replace(
        one,
        settings=settings,
        table=table,
        origins=(*one.origins, *((name, min(length, room)) for name, length in other.origins)),
        complete=one.complete and other.complete,
        plain=one.plain and other.plain,
        notes=tuple(dict.fromkeys((*one.notes, *other.notes))),
        questions=tuple(dict.fromkeys((*one.questions, *other.questions))),
    )


def _spread(members: Sequence[str], count: int) -> list[str]:
    if len(members) <= count:
        return list(members)
    return [members[round(step * (len(members) - 1) / (count - 1))] for step in range(count)]


def _merged(parts: list[tuple[list[str], Sample]]) -> list[tuple[list[str], Sample]]:
    """Kinds with one header as one, where they differ in one part of their names: a file for each region, a folder for each store."""
    merged: list[tuple[list[str], Sample]] = []
    for files, sample in parts:
        for position, (others, other) in enumerate(merged):
            alike = {*sample.names} == {*other.names} and _one_place(others[0], files[0]) and not {*files} & {*others}
            if alike and (joined := _joined(other, sample)) is not None:
                merged[position] = (sorted([*others, *files]), joined)
                break
        else:
            merged.append((files, sample))
    return merged


def _one_place(one: str, other: str) -> bool:
    """Whether two names differ in one folder or in the file's name alone, and are of one ending."""
    first, second = PurePosixPath(general_name(one)).parts, PurePosixPath(general_name(other)).parts
    if len(first) != len(second) or Path(first[-1]).suffixes != Path(second[-1]).suffixes:
        return False
    told = concepts(one) & TELLING, concepts(other) & TELLING
    return told[0] == told[1] and sum(a != b for a, b in zip(first, second, strict=True)) <= 1


def _patterns(files: Sequence[str], names: Sequence[str]) -> list[str]:
    """The shortest list of patterns that find these files and no others of the folder."""
    wanted = set(files)
    for pattern in _candidates(files):
        if {name for name in names if meets(pattern, name)} == wanted:
            return [pattern]
    return [_literal(name) for name in files]


def _candidates(files: Sequence[str]) -> list[str]:
    split = [PurePosixPath(name).parts for name in files]
    if len(files) == 1:
        general = general_name(files[0])
        # A number that names a time will be another one next time.
        return [general, _literal(files[0])] if "*" in general and _OF_TIME.search(split[0][-1]) else [_literal(files[0])]
    if len({len(parts) for parts in split}) > 1:
        return []
    narrow, middle, wide = [], [], []
    for column in zip(*split, strict=True):
        generals = {general_name(part) for part in column}
        ending = "".join(PurePosixPath(column[0]).suffixes[-2:]) if column is not None else ""
        if len(generals) == 1:
            same = {*column}
            text = _literal(column[0]) if len(same) == 1 else generals.pop()
            narrow.append(text)
            middle.append(text)
            wide.append(text)
        else:
            start, end = common_start(column), common_start([part[::-1] for part in column])[::-1]
            narrow.append(f"{_literal(start)}*{_literal(end)}")
            middle.append(f"*{_literal(end)}")
            wide.append(f"*{_SIGNS.sub('?', ending)}" if ending else "*")
    return ["/".join(parts) for parts in (wide, middle, narrow)]


def common_start(texts: Sequence[str]) -> str:
    """The letters that all texts begin with."""
    shortest = min(texts, key=len)
    return next((shortest[:length] for length in range(len(shortest), 0, -1) if all(text.startswith(shortest[:length]) for text in texts)), "")


def _literal(name: str) -> str:
    """A pattern for one name: signs that patterns know stand for any sign."""
    return _SIGNS.sub("?", name)
