"""A database for one landing file: it reaches that file and nothing else, and its memory, disk and time have limits."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from transforms.adapters.formats.bounds import MEMORY, READ_SECONDS, SPILL
from transforms.errors import LandingFileRefused
from transforms.lake.database import literal, own_database


@contextmanager
def database_of(paths: Sequence[Path], name: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[Path]]]:
    """Open a database that can reach some files and nothing else of the machine, and the plain names under which it reaches them.

    Its memory, its room on disk and its time have a limit.
    """
    with TemporaryDirectory(prefix="shelfcast-") as folder, own_database() as connection:
        links = [Path(folder) / f"file{number}" for number in range(len(paths))]
        for link, path in zip(links, paths, strict=True):
            link.symlink_to(path.resolve())
        allowed = ", ".join(literal(str(link)) for link in links)
        connection.execute(f"set threads = 2; set temp_directory = {literal(f'{folder}/spill')}; set allowed_paths = [{allowed}]")
        connection.execute(f"set memory_limit = '{MEMORY}B'; set max_temp_directory_size = '{SPILL}B'")
        connection.execute("set enable_external_access = false; set lock_configuration = true")
        done = threading.Event()
        stopper = threading.Thread(target=_stop_late, args=(connection, done, READ_SECONDS), daemon=True)
        stopper.start()
        try:
            yield connection, links
        except duckdb.OutOfMemoryException as error:
            advice = "Split the file, or drop it as Parquet."
            raise LandingFileRefused(
                f"{name}: reading it takes more than {MEMORY >> 30} GiB of memory and {SPILL >> 30} GiB of disk. {advice}"
            ) from error
        except duckdb.InterruptException as error:
            raise LandingFileRefused(f"{name}: reading it takes more than {READ_SECONDS} seconds. Split the file, or drop it as Parquet.") from error
        finally:
            done.set()
            stopper.join()


def _stop_late(connection: duckdb.DuckDBPyConnection, done: threading.Event, seconds: float) -> None:
    """Interrupt whatever runs once the time is over, again and again: an interrupt between two queries is lost."""
    late = not done.wait(seconds)
    while late and not done.wait(0.05):
        connection.interrupt()
