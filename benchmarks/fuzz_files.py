"""Break files of every format byte by byte, and read them as landing does: `python -m benchmarks.fuzz_files --inputs 20000`.

A file is taken or refused. Anything else is a finding: another exception, a reader that dies, more than ten seconds, more than one gigabyte.
"""

import argparse
import datetime
import io
import multiprocessing
import os
import random
import re
import resource
import signal
import sys
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.file_writers import BOOKS, ERRORS, Error, Rows, csv_bytes, gzip_bytes, json_bytes, parquet_bytes, wide_parquet_bytes, zstd_bytes
from transforms.adapters import ProviderSpec, References, read_file
from transforms.adapters.formats import workbooks
from transforms.errors import LandingFileRefused

SECONDS = 10
MEMORY = 1 << 30
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
HEADER = ("id", "sku", "week", "units", "remark")
ROWS: Rows = [
    HEADER,
    *((number % 9 + 1, f"P{number % 7:03d}", datetime.date(2022, 5, 2), 6 * number, "a, b" if number % 3 else None) for number in range(1, 40)),
]
WITH_ERRORS: Rows = [*ROWS, *((number, "P001", datetime.date(2022, 5, 9), Error(code), None) for number, code in enumerate(ERRORS, start=1))]
TEXTS: Rows = [[cell.isoformat() if isinstance(cell, datetime.date) else "" if cell is None else cell for cell in row] for row in ROWS]
REFERENCES = References(
    pa.table({"store_id": [str(number) for number in range(1, 10)], "region": ["iowa"] * 9, "place": ["Ames"] * 9}),
    pa.table({"product_id": [f"P{number:03d}" for number in range(7)], "case_pack": [6] * 7}),
)
WORKBOOKS = ("xlsx", "xls", "xlsb", "ods")
SHEETS: list[dict[str, object]] = [{"sheet": "Data"}, {"sheet": "Hidden"}, {"sheets": "*"}]
SEEDS: dict[str, list[bytes]] = {
    "csv": [csv_bytes(TEXTS)],
    "csv.gz": [csv_bytes(TEXTS)],
    "csv.zst": [csv_bytes(TEXTS)],
    "jsonl": [json_bytes(TEXTS)],
    "jsonl.gz": [json_bytes(TEXTS)],
    "jsonl.zst": [json_bytes(TEXTS)],
    "parquet": [parquet_bytes(ROWS), wide_parquet_bytes(ROWS)],
    **{kind: [write(WITH_ERRORS) for other, write in BOOKS.values() if other == kind] for kind in WORKBOOKS},
}
TOKENS = [
    *(
        b'"',
        b'""',
        b",",
        b"\n",
        b"\r",
        b"\r\n",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xc3",
        b"[" * 70,
        b"{" * 70,
        b'{"a":',
        b"null",
        b"NaN",
    ),
    *(b"1e999", b"-", b"9" * 40, b"\\u0000", b"\\ud800", b"\xe2\x80\xa8", b"<", b"&amp;", b"&x;", b'r="XFD1048576"', b'r="A1"', b"<row>", b"</c>"),
    *(b"<!DOCTYPE a [<!ENTITY x 'y'>]>", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"PK\x03\x04", b"PAR1", b"\x1f\x8b\x08"),
    *(b'number-rows-repeated="1048576"', b'number-columns-repeated="16384"', b't="s"', b"<v>99999999</v>", b'"id"', b"\x80\x00\x00\x00"),
]
OPTIONS: list[dict[str, object]] = [{}, {}, {}, {"duplicates": "sum"}]
HEADERS: list[dict[str, object]] = [{"header": 0}, {"header": 2}, {"header": 30}]
TEXT_OPTIONS: list[dict[str, object]] = [
    {"delimiter": ";"},
    {"encoding": "utf-16"},
    {"encoding": "cp1252"},
    {"encoding": "shift_jis"},
    {"encoding": "utf-7"},
]


@dataclass(frozen=True)
class Outcome:
    """How reading an input ended: taken, refused, exception, hang, memory, crash."""

    number: int
    kind: str
    outcome: str
    detail: str = ""
    seconds: float = 0.0
    peak: int = 0


def provider_of(kind: str, options: dict[str, object]) -> ProviderSpec:
    """A provider that delivers shipments in a format."""
    columns = {"store_id": "id", "product_id": "sku", "week": "week", "units_shipped": "units"}
    if options.get("header") == 0:
        columns = dict(zip(columns, ("column1", "column2", "column3", "column4"), strict=True))
    file = {"files": "x", "format": kind.partition(".")[0], "columns": columns, **options}
    stores = {"files": "s", "format": "csv", "columns": {"store_id": "id", "region": "area", "format": "kind"}}
    products = {"files": "p", "format": "csv", "columns": {"product_id": "sku", "case_pack": "pack"}}
    sources = {"stores": [stores], "products": [products], "shipments": [file]}
    return ProviderSpec.model_validate({"name": "fuzz", "description": "Broken files.", "sources": sources})


def input_of(number: int, seed: int) -> tuple[str, bytes, dict[str, object]]:
    """Format, bytes and reading options of an input; the same for the same number and seed."""
    draw = random.Random(f"{seed} {number}")
    kind = list(SEEDS)[number % len(SEEDS)]
    content = draw.choice(SEEDS[kind])
    inner = draw.random()
    if inner < 0.04:
        content = draw.randbytes(draw.choice([1, 7, 300, 70_000]))
    elif kind in {"xlsx", "xlsb", "ods"} and inner < 0.8:
        content = _member_broken(content, draw)
    elif kind.endswith((".gz", ".zst")):
        compress = gzip_bytes if kind.endswith(".gz") else zstd_bytes
        content = compress(_broken(content, draw)) if inner < 0.6 else _broken(compress(content), draw)
    elif kind == "parquet" and inner < 0.6:
        # The footer says how all else is read.
        content = content[:-1500] + _broken(content[-1500:-8], draw) + content[-8:]
    else:
        content = _broken(content, draw)
    special = [*HEADERS, *TEXT_OPTIONS] if kind.startswith("csv") else [*HEADERS, *SHEETS] if kind in WORKBOOKS else []
    return kind, content, draw.choice([*OPTIONS, *special])


def _broken(content: bytes, draw: random.Random) -> bytes:
    """Bytes with one to a few faults."""
    data = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 4, 16])):
        at = draw.randrange(len(data) + 1) if draw.random() < 0.8 else draw.randrange(min(len(data), 64) + 1)
        span = draw.choice([1, 2, 8, 64, 1024])
        fault = draw.randrange(8)
        if fault == 0 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif fault == 1 and at < len(data):
            data[at] = draw.choice([0, 1, 127, 128, 255, draw.randrange(256)])
        elif fault == 2:
            del data[at : at + span]
        elif fault == 3:
            data[at:at] = data[at : at + span] * draw.choice([1, 2, 50])
        elif fault == 4:
            token = draw.choice(TOKENS)
            data[at : at + draw.choice([0, len(token)])] = token
        elif fault == 5:
            data[at : at + span] = draw.randbytes(min(span, 64))
        elif fault == 6:
            start = draw.randrange(len(data) + 1)
            data[at:at] = data[start : start + span]
        else:
            data = data[:at] if draw.random() < 0.3 else data
    return bytes(data)


def _member_broken(content: bytes, draw: random.Random) -> bytes:
    """A ZIP file in which one member is broken, left out, doubled or called something else."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        entries = source.infolist()
        chosen, fault = (
            draw.choice([*entries, *(entry for entry in entries if "sheet" in entry.filename.lower() or "content" in entry.filename)]),
            draw.random(),
        )
        for entry in entries:
            data, name = source.read(entry), entry.filename
            if entry is chosen:
                if fault < 0.05:
                    continue
                name = f"{name}x" if fault < 0.08 else name
                data = _broken(data, draw)
            target.writestr(name, data)
    return stream.getvalue()


def read_input(number: int, seed: int, folder: Path) -> Outcome:
    """Read an input as landing does."""
    kind, content, options = input_of(number, seed)
    path = folder / f"input.{kind}"
    path.write_bytes(content)
    provider = provider_of(kind, options)
    _reset_peak()
    start = time.monotonic()
    try:
        rows = read_file(provider, "shipments", provider.sources["shipments"][0], path, path.name, REFERENCES, NOW)
        counts = rows.counts
        complete = (
            counts.records == counts.read + counts.aside and counts.read == counts.taken + counts.repeated + counts.quarantined + counts.skipped
        )
        outcome, detail = ("taken", "") if complete else ("exception", f"rows got lost: {counts}")
    except LandingFileRefused as error:
        outcome, detail = "refused", str(error)
    except BaseException as error:  # noqa: BLE001 - whatever is raised is a finding
        outcome, detail = "exception", "".join(traceback.format_exception(error)[-4:])
    seconds, peak = time.monotonic() - start, _peak()
    if outcome != "exception" and (seconds > SECONDS or peak > MEMORY):
        outcome = "hang" if seconds > SECONDS else "memory"
    return Outcome(number, kind, outcome, detail, seconds, peak)


def _reset_peak() -> None:
    for process in _processes():
        (Path("/proc") / process / "clear_refs").write_text("5")


def _peak() -> int:
    """Bytes of memory that this process and the one that reads workbooks took at most; one that died counts with what any of them took."""
    found = sum(int(size) for process in _processes() for size in re.findall(r"VmHWM:\s+(\d+)", (Path("/proc") / process / "status").read_text()))
    reader = workbooks._reader.process
    died = reader is not None and reader.poll() is not None
    return (found + died * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) << 10


def _processes() -> list[str]:
    reader = workbooks._reader.process
    return ["self", *([str(reader.pid)] if reader is not None and reader.poll() is None else [])]


def _work(pipe: Connection, seed: int) -> None:
    os.setsid()
    with TemporaryDirectory(prefix="fuzz-") as folder:
        while (number := pipe.recv()) is not None:
            pipe.send(read_input(number, seed, Path(folder)))


def fuzz(numbers: Iterable[int], seed: int) -> list[Outcome]:
    """Outcomes of some inputs, each read in a process that is killed when it takes too long."""
    context, outcomes = multiprocessing.get_context("spawn"), list[Outcome]()
    worker = None
    for number in numbers:
        if worker is None or not worker.is_alive():
            pipe, other = context.Pipe()
            worker = context.Process(target=_work, args=(other, seed), daemon=True)
            worker.start()
            other.close()
        pipe.send(number)
        lost = None
        try:
            # The first input of a process waits for its start.
            if pipe.poll(SECONDS + 30):
                outcomes.append(pipe.recv())
            else:
                lost = "hang"
        except EOFError:
            lost = "crash"
        if lost is not None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.join()
            outcomes.append(Outcome(number, input_of(number, seed)[0], lost))
            worker = None
    if worker is not None:
        pipe.send(None)
        worker.join()
    return outcomes


def show(outcomes: list[Outcome], console: Console) -> list[Outcome]:
    """Print how many inputs ended how, by format, and return the findings."""
    names = ("taken", "refused", "exception", "crash", "hang", "memory")
    table = Table("format", "inputs", *names, "longest", "most memory", title="Files broken byte by byte")
    for kind in [*SEEDS, "all"]:
        rows = [outcome for outcome in outcomes if kind in {outcome.kind, "all"}]
        if rows:
            counts = Counter(outcome.outcome for outcome in rows)
            longest, most = max(outcome.seconds for outcome in rows), max(outcome.peak for outcome in rows)
            table.add_row(kind, str(len(rows)), *(str(counts[name]) for name in names), f"{longest:.1f} s", f"{most >> 20} MB")
    console.print(table)
    reasons = Counter((outcome.kind, _reason(outcome.detail)) for outcome in outcomes if outcome.outcome == "refused")
    listed = Table("format", "refused because", "inputs")
    for (kind, reason), count in reasons.most_common(60):
        listed.add_row(kind, reason, str(count))
    console.print(listed)
    findings = [outcome for outcome in outcomes if outcome.outcome not in {"taken", "refused"}]
    for finding in findings:
        console.print(f"input {finding.number} ({finding.kind}): {finding.outcome}\n{finding.detail}", markup=False)
    return findings


def _reason(message: str) -> str:
    return re.sub(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|[0-9][0-9,]*", "..", message.split(":", 1)[-1])[:90]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--inputs", type=int, default=20_000)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--first", type=int, default=0, help="number of the first input")
    arguments.add_argument("--formats", nargs="*", choices=list(SEEDS), default=list(SEEDS))
    options = arguments.parse_args()
    start, chosen = time.monotonic(), {list(SEEDS).index(kind) for kind in options.formats}
    numbers = (number for number in range(options.first, options.first + options.inputs) if number % len(SEEDS) in chosen)
    outcomes = fuzz(numbers, options.seed)
    findings = show(outcomes, Console(width=150))
    sys.stdout.write(f"{len(outcomes)} inputs in {time.monotonic() - start:.0f} s, {len(findings)} findings\n")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
