"""A bounded sample of a file with the settings that it has to be read with: format, delimiter, encoding, sheet, row of the header.

Settings are found by trying; what the columns of a sample mean is `meanings`' to say.
"""

import csv
import io
import re
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from transforms.adapters.formats.archives import EXPANDED, expanded, members_of
from transforms.adapters.formats.contents import content_of, head_of
from transforms.adapters.formats.workbooks import peek
from transforms.adapters.spec import WORKBOOKS
from transforms.drafting.positions import aligned, fields_of, spans_of
from transforms.errors import LandingFileRefused

ROWS = 60_000
"""Rows that are looked at at the beginning, and at the end."""
BYTES = 24 << 20
"""The same for texts, in bytes."""
_BATCH = 20_000
_TITLES = 100
_LEAST_LINES = 5
"""Lines from which on blank columns are no chance."""
"""Records in which a header is looked for."""
_MOST_ROWS = 20_000_000
"""Rows of a Parquet file up to which its end is looked at too: they are read one after the other."""
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_PACKED = (*_COMPRESSIONS, *EXPANDED)
_TEXTS = (".csv", ".txt", ".tsv", ".dat", ".psv", ".tab")
_LINES = (".jsonl", ".ndjson", ".json")
_WEEK_NAME = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}( 00:00:00)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}-?[Ww]\d{1,2}|(19|20)\d{6})")
_DIGITS = re.compile(r"(?<!\d)(19|20)(?=\d\d(?!\d)|\d{6}(?!\d))|\d")
"""Digits of a date, of which the century stays: no sign is left for names that are none."""
_NUMBERS = re.compile(r"\d+([-_.]?[WwQq]?\d+)*")
_SIGNS = re.compile(r"[*?]")
_OTHERS = frozenset(
    {
        ".md", ".rst", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".html", ".htm", ".xml", ".py", ".r", ".sql", ".sh", ".bat", ".log", ".pdf", ".doc",
        ".docx", ".ppt", ".pptx", ".png", ".jpg", ".jpeg", ".gif", ".json5", ".ipynb",
    }
)  # fmt: skip
"""Endings of names of files that hold no tables, whatever stands in them."""
_DELIMITERS = ",;\t|"
_LIKELY_LETTERS = frozenset("äöüÄÖÜßéèêëàâçîïôùûñáíóúÉÀÈÇåÅøØæÆãõìò€°§")
_ENCODINGS = ("cp1252", "cp850", "mac-roman", "latin-1")


@dataclass(frozen=True)
class Sample:
    """Some rows of a file, all of them where `complete`, as texts.

    Attributes
    ----------
    settings
        Keys of the provider YAML that say how the file is read: `format`, and `delimiter`, `encoding`, `sheet`, `header` where they are not the
        defaults.
    kinds
        Columns that are typed in the file itself: `integer`, `number`, `date`, `timestamp` or `flag`.
    notes, questions
        Remarks about how the file is written, and what a person has to decide.
    """

    settings: Mapping[str, Any]
    table: pa.Table
    complete: bool
    kinds: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    plain: bool = True
    """False where the bytes tell the encoding."""
    origins: tuple[tuple[str, int], ...] = ()
    """Names of the files that it is of, each with its number of rows."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(self.table.column_names)


def format_of(path: Path) -> str | None:
    """The format that a file's first bytes tell, and of texts its name; None for none that can be read."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    head = head_of(path)
    content = content_of(head)
    if content == "ZIP":
        return _zipped(path)
    if content in {"Parquet", "XLS"}:
        return content.lower()
    if content in {"PDF", "RAR", "7-Zip"} or (last in _OTHERS and last not in {*_TEXTS, *_LINES}):
        return None
    if last in _LINES or (last not in _TEXTS and head.lstrip().startswith(b"{")):
        return "jsonl"
    return "csv"


def _zipped(path: Path) -> str | None:
    """What a ZIP archive is: a workbook, or an archive of files."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return None
    if "xl/workbook.bin" in names:
        return "xlsb"
    if "[Content_Types].xml" in names:
        return "xlsx" if any(name.startswith("xl/") for name in names) else None
    return "ods" if "mimetype" in names and "content.xml" in names else "zip"


def samples_of(path: Path, name: str) -> list[Sample]:
    """The samples of a file: one, or one for each visible sheet with rows of a workbook.

    Raises
    ------
    LandingFileRefused
        If the file cannot be read as what its name tells; the message says why.
    """
    kind = format_of(path)
    read: dict[str, Callable[[Path, str], Sample]] = {"csv": _delimited, "jsonl": _json_lines, "parquet": _parquet}
    try:
        if path.stat().st_size == 0:
            raise LandingFileRefused(f"{name}: the file is empty.")
        if kind == "zip":
            return _members(path, name)
        if path.suffix.lower() in EXPANDED:
            with expanded(path, name) as plain:
                return [read[str(kind)](plain, name)]
        return _sheets(path, name, str(kind)) if kind in WORKBOOKS else [read[str(kind)](path, name)]
    except (OSError, pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        raise LandingFileRefused(f"{name}: expected a readable {kind} file, but {str(error).splitlines()[0]}") from error


def _members(path: Path, name: str) -> list[Sample]:
    """Samples of an archive's members: of each kind of names the first one, with the pattern that finds them."""
    with zipfile.ZipFile(path) as archive:
        inside = sorted(entry.filename for entry in archive.infolist() if not entry.is_dir())
    patterns: dict[str, str] = {}
    for member in inside:
        if not any(part.startswith((".", "~$", "__MACOSX")) for part in PurePosixPath(member).parts):
            patterns.setdefault(general_name(member), member)
    samples: list[Sample] = []
    for pattern, first in patterns.items():
        with members_of(path, name, first) as found:
            # A sign in its name may stand for that of another one.
            member, plain = next(one for one in found if one[0] == first)
            target = plain.with_name(PurePosixPath(member).name)
            plain.rename(target)
            if format_of(target) in {None, "zip"}:
                continue
            for sample in samples_of(target, f"{name}, {member}"):
                settings = {key: value for key, value in sample.settings.items() if key != "format"}
                samples.append(replace(sample, settings={"format": sample.settings["format"], "member": pattern, **settings}))
    if not samples:
        raise LandingFileRefused(f"{name}: an archive without a member that can be read; came {inside[:5]}.")
    return samples


def general_name(name: str) -> str:
    """The name with its numbers left out: what files that come again and again have in common."""
    return "/".join(_NUMBERS.sub("*", _SIGNS.sub("?", part)) for part in PurePosixPath(name).parts)


def _bytes(path: Path) -> tuple[bytes, bytes]:
    """The beginning of a file, and its end where there is more between; of a compressed one the beginning alone."""
    if (compression := _COMPRESSIONS.get(path.suffix.lower())) is not None:
        with pa.input_stream(str(path), compression=compression) as stream:
            head = bytes(stream.read(BYTES))
            return head, b"\n" if stream.read(1) else b""
    with path.open("rb") as file:
        head = file.read(BYTES)
        size = path.stat().st_size
        if size <= BYTES:
            return head, b""
        file.seek(max(BYTES, size - BYTES))
        return head, file.read()


def _delimited(path: Path, name: str) -> Sample:
    head, tail = _bytes(path)
    encoding, questions = _encoding(head + tail, name)
    if tail:
        head = head[: head.rfind(b"\n") + 1] or head
    text = head.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="ignore")
    if (fixed := _fixed(text, encoding, not tail, questions)) is not None:
        return replace(fixed, plain=(head + tail).isascii())
    delimiter = _delimiter(text)
    if path.suffix.lower() not in {*_TEXTS, *_PACKED} and _ragged(text, delimiter):
        raise LandingFileRefused(f"{name}: expected a table, came text that no delimiter and no positions divide.")
    records = list(_records(text, delimiter, ROWS + 100))
    complete = not tail and len(records) < ROWS + 100
    header = _header_row(records)
    if not any(map(_width, records)):
        raise LandingFileRefused(f"{name}: no records in it.")
    if tail and path.suffix.lower() not in _COMPRESSIONS:
        # Its first line is cut, and quotes before it are unknown.
        last = tail[tail.find(b"\n") + 1 :].decode(encoding, errors="ignore")
        records += list(_records(last, delimiter, 10 * ROWS))[-ROWS:]
    settings: dict[str, Any] = {"format": "csv"}
    if delimiter != ",":
        settings["delimiter"] = delimiter
    if encoding != "utf-8":
        settings["encoding"] = encoding
    return replace(_from_records(settings, records, header, complete, questions), plain=(head + tail).isascii())


def _ragged(text: str, delimiter: str) -> bool:
    """Whether a text is no table: one column, or records of all lengths."""
    widths = Counter(len(record) for record in _records(text[: 1 << 18], delimiter, 400) if record)
    [(width, count)] = widths.most_common(1) or [(0, 0)]
    return width < 2 or count < 0.9 * sum(widths.values())


def _fixed(text: str, encoding: str, complete: bool, questions: tuple[str, ...]) -> Sample | None:
    """A table whose values stand at fixed positions, with blanks between; None where a delimiter or nothing divides its lines."""
    lines = [line for line in text[: 1 << 20].splitlines() if line.strip()][:_BATCH]
    if len(lines) < _LEAST_LINES or any(sign in lines[0] for sign in ",;\t|{"):
        return None
    spans = spans_of(lines)
    ends = Counter(len(line.rstrip()) <= spans[-1][1] for line in lines)
    if len(spans) < 2 or ends[False] or not aligned(lines[1:], spans):
        return None
    cells = [[line[start:end].strip() for start, end in spans] for line in lines]
    has_names = not any(map(_is_value, cells[0])) and any(_is_value(cell) for row in cells[1:20] for cell in row)
    named = [re.sub(r"\s+", "_", cell) for cell in cells[0]] if has_names else [""] * len(spans)
    names = _unique([name or f"column{number}" for number, name in enumerate(named, start=1)])
    fields = dict(zip(names, fields_of(lines[1:], spans), strict=True))
    settings: dict[str, Any] = {"format": "fixed", **({"encoding": encoding} if encoding != "utf-8" else {}), **({"header": 1} if has_names else {})}
    rows = cells[has_names:]
    table = pa.table({name: pa.array([row[n] or None for row in rows], pa.string()) for n, name in enumerate(names)})
    note = f"values at fixed positions, {len(spans)} columns with blanks between"
    asked = f"positions are those of {len(lines):,} lines: does every value have its place within them?"
    return Sample({**settings, "fields": fields}, table, complete and len(lines) < _BATCH, {}, (note,), (*questions, asked))


def _encoding(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """The encoding that fits, with a question where others fit as well."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", ()
    # A character at the place where the sample was cut is no fault.
    cut = data[: max(len(data) - 4, 1)] if len(data) >= BYTES else data
    try:
        cut.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end < len(cut) - 4 or len(data) < BYTES:
            return _single_byte(data)
    if b"\0" in data[:4096]:
        raise LandingFileRefused(f"{name}: holds zero bytes: no text.")
    return "utf-8", ()


def _single_byte(data: bytes) -> tuple[str, tuple[str, ...]]:
    high = Counter(byte for byte in data if byte >= 0x80)
    best, likely = "latin-1", -1
    for encoding in _ENCODINGS:
        try:
            count = sum(n for byte, n in high.items() if bytes([byte]).decode(encoding) in _LIKELY_LETTERS)
        except UnicodeDecodeError:
            continue
        if count > likely:
            best, likely = encoding, count
    if likely >= 0.9 * sum(high.values()):
        return best, ()
    return best, (f"the bytes fit {best} best, but not all of them make letters: is the encoding right?",)


def _records(text: str, delimiter: str, most: int) -> list[list[str]]:
    csv.field_size_limit(1 << 20)
    found: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    for record in reader:
        # Blank records above the header count, as they do when the file is read.
        if len(found) < _TITLES or any(cell.strip() for cell in record):
            found.append(record)
        if len(found) >= most:
            break
    return found


def _delimiter(text: str) -> str:
    """The sign that cuts most records into the same, largest number of values."""
    start = text[: 1 << 18]
    scores = {}
    for sign in _DELIMITERS:
        try:
            widths = Counter(len(record) for record in _records(start, sign, 400) if record)
        except csv.Error:
            continue
        [(width, count)] = widths.most_common(1) or [(0, 0)]
        scores[sign] = (width > 1, count / max(sum(widths.values()), 1) > 0.9, width, count)
    return max(scores, key=scores.__getitem__) if scores else ","


def _header_row(records: Sequence[Sequence[str | None]]) -> int:
    """The number of the record that names the columns: the first one as wide as the others whose cells are texts, each another one."""
    widths = Counter(width for record in records[:400] if (width := _width(record)))
    if not widths:
        return 1
    # Titles are narrow; of the widths that are frequent the largest is the table's.
    wide = max(width for width, count in widths.items() if count >= max(1, 0.2 * max(widths.values())))
    for number, record in enumerate(records[:_TITLES], start=1):
        cells = [cell.strip() for cell in record if cell and cell.strip()]
        if len(cells) >= max(1, 0.8 * wide) and len(set(cells)) == len(cells) and sum(_is_value(cell) for cell in cells) <= 0.2 * len(cells):
            return number
    return next(number for number, record in enumerate(records, start=1) if _width(record) >= 0.8 * wide)


def _width(record: Sequence[str | None]) -> int:
    return max((position for position, cell in enumerate(record, start=1) if cell and cell.strip()), default=0)


def _is_value(cell: str) -> bool:
    return not any(letter.isalpha() for letter in cell) and any(letter.isdigit() for letter in cell)


def _from_records(
    settings: dict[str, Any], records: Sequence[Sequence[str | None]], header: int, complete: bool, questions: tuple[str, ...] = ()
) -> Sample:
    if header == 1 and _looks_like_values(records):
        settings, header = {**settings, "header": "none"}, 0
        questions = (*questions, "the first row looks like values: is there no header? Columns are told by their values then")
    cells = [cell.strip() if cell else "" for cell in records[header - 1]] if header else [""] * _width(records[0])
    while header and cells and not cells[-1]:
        cells.pop()
    names = _unique([cell or f"column{position}" for position, cell in enumerate(cells, start=1)])
    notes: list[str] = []
    if header > 1:
        settings = {**settings, "header": header}
        notes.append(f"the header stands in row {header}; what stands above it is left aside")
    below = (record for record in records[header:] if any(cell and cell.strip() for cell in record) and list(record[: len(cells)]) != cells)
    rows = [[*record[: len(names)], *([""] * (len(names) - len(record)))] for record in below]
    columns = {column: [(row[position] or "").strip() or None for row in rows] for position, column in enumerate(names)}
    if [name for name in names if name not in cells and not name.startswith("column")]:
        questions = (*questions, "two of its columns have one name, so that the file is refused: which of them is meant? Rename one")
    if sum(map(_is_value, cells)) > 0.3 * len(cells) and not _wide(names):
        questions = (*questions, "its header looks like values, not like names of columns: is it the right row?")
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    return _long(Sample(settings, table, complete, {}, tuple(notes), questions))


def _long(sample: Sample) -> Sample:
    """A table with a column for each week as one row for each of its cells, with the settings that make it one; others as they are."""
    if not (weeks := _wide(sample.names)):
        return sample
    kept = [name for name in sample.names if name not in weeks]
    name, value = (next(free for free in (word, f"{word}_of_column") if free not in kept) for word in ("week", "units"))
    patterns = list(dict.fromkeys(_DIGITS.sub(lambda found: found[1] or "?", week) for week in weeks))
    step = max(1, sample.table.num_rows * len(weeks) // (4 * ROWS))
    rows = sample.table.take(list(range(0, sample.table.num_rows, step)))
    parts = [rows.select(kept).append_column(name, pa.array([week] * rows.num_rows)).append_column(value, rows[week]) for week in weeks]
    table = pa.concat_tables(parts)
    settings = {**sample.settings, "melt": {"columns": patterns[0] if len(patterns) == 1 else patterns, "name": name, "value": value}}
    notes = (*sample.notes, f"a column for each of {len(weeks)} weeks, read as a row for each of its cells")
    return replace(sample, settings=settings, table=table.filter(pc.is_valid(table[value])), complete=step == 1 and sample.complete, notes=notes)


def _looks_like_values(records: Sequence[Sequence[str | None]]) -> bool:
    """Whether the first record is one of the others: a value where they have values, a text where they have texts, and no names."""
    first = [(cell or "").strip() for cell in records[0]]
    told = [position for position, cell in enumerate(first) if _is_value(cell)]
    below = [record for record in records[1:50] if _width(record)]
    if not below or len(told) < max(2, 0.3 * len(first)) or _wide(first):
        return False
    return all(sum(position < len(record) and _is_value(record[position] or "") for record in below) >= 0.9 * len(below) for position in told)


def _wide(names: Sequence[str]) -> list[str]:
    """Names of columns that are dates or weeks, where a table has one for each: four of them at least."""
    found = [name for name in names if _WEEK_NAME.fullmatch(name.strip())]
    return found if len(found) >= 4 else []


def _unique(names: Sequence[str]) -> list[str]:
    """The names, those that are there twice with their position behind (such a file is refused when it is read)."""
    seen = Counter[str]()
    found = []
    for position, name in enumerate(names, start=1):
        seen[name.lower()] += 1
        found.append(name if seen[name.lower()] == 1 else f"{name} (column {position})")
    return found


def _json_lines(path: Path, name: str) -> Sample:
    head, tail = _bytes(path)
    if head.lstrip()[:1] == b"[":
        raise LandingFileRefused(f"{name}: one JSON array; expected JSON lines, an object in each line. Write it so, or as CSV.")
    if tail:
        head = head[: head.rfind(b"\n") + 1]
    lines = head.splitlines()[:ROWS]
    if tail and path.suffix.lower() not in _COMPRESSIONS:
        lines += tail[tail.find(b"\n") + 1 :].splitlines()[-ROWS:]
    objects = [found for line in lines if line.strip() and (found := _object(line, name)) is not None]
    names = dict.fromkeys(key for found in objects for key in found)
    if not names:
        raise LandingFileRefused(f"{name}: no JSON object in its lines.")
    columns = {column: pa.array([found.get(column) for found in objects], pa.string()) for column in names}
    return Sample({"format": "jsonl"}, pa.table(columns), not tail and len(head.splitlines()) <= ROWS)


def _object(line: bytes, name: str) -> dict[str, str | None] | None:
    import json  # noqa: PLC0415

    try:
        found = json.loads(line, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise LandingFileRefused(f"{name}: expected a JSON object in each line, came {line[:60]!r}.") from error
    if not isinstance(found, dict):
        return None
    return {key: None if value is None else value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}


def _parquet(path: Path, name: str) -> Sample:
    file = parquet.ParquetFile(path)
    rows, head, tail, read = file.metadata.num_rows, list[pa.RecordBatch](), deque[pa.RecordBatch](maxlen=ROWS // _BATCH + 1), 0
    for batch in file.iter_batches(batch_size=_BATCH):
        (head if read < ROWS else tail).append(batch)
        read += batch.num_rows
        if read >= ROWS and rows > _MOST_ROWS:
            break
    table = pa.Table.from_batches([*head, *tail], schema=file.schema_arrow)
    if not table.num_columns or not table.num_rows:
        raise LandingFileRefused(f"{name}: no rows in it.")
    kinds = {column.name: kind for column in table.schema if (kind := _kind(column.type)) is not None}
    texts = {column: _as_text(table[column], kinds.get(column)) for column in table.column_names}
    return Sample({"format": "parquet"}, pa.table(texts), table.num_rows == rows, kinds)


def _kind(kind: pa.DataType) -> str | None:
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    return "flag" if pa.types.is_boolean(kind) else None


def _as_text(values: pa.ChunkedArray, kind: str | None) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if kind == "timestamp":
        return pc.strftime(values.cast(pa.timestamp("s", values.type.tz), safe=False), format="%Y-%m-%d %H:%M:%S")
    try:
        texts = values.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.chunked_array([pa.nulls(len(values), pa.string())])
    return pc.replace_substring_regex(texts, r"\.0$", "") if kind == "number" else texts


def _sheets(path: Path, name: str, kind: str) -> list[Sample]:
    visible = [sheet for sheet in peek(path, name, kind, ROWS) if sheet.visible and any(map(_width, sheet.rows))]
    if not visible:
        raise LandingFileRefused(f"{name}: no visible sheet with rows.")
    samples = []
    for sheet in visible:
        settings: dict[str, Any] = {"format": kind}
        if len(visible) > 1:
            settings["sheet"] = sheet.name
        header = _header_row(sheet.rows)
        samples.append(_from_records(settings, sheet.rows, header, sheet.complete))
    return samples
