"""Landing while it changes: a file that grows as it is taken in, one under the name of an upload, and a folder that is gone."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.faults.trial import Fault, Trial, in_folders
from benchmarks.faults.world import CORRECTED_WEEKS_AGO, SPEC
from transforms.calendar import Week
from transforms.lake.tables import Lake
from transforms.world import simulate, write_landing

_PAUSE = 0.4
"""Seconds between two bytes of an upload: less than the time for which a file has to be quiet."""


def _held_back(trial: Trial) -> dict[Path, bytes]:
    """Take out of landing what was delivered for this cycle, but for a workbook whose rows are the same; return it.

    A file of it alone would be a delivery of its own, with a data version that nobody sees where all come at once.
    """
    week, landing, before = Week.parse(trial.at.week), trial.folder / "landing" / "sample", trial.place.beside(trial.root, "-before")
    write_landing(simulate(SPEC), before, week + -1)
    corrected = [landing / "shipments" / f"shipments_{week + -CORRECTED_WEEKS_AGO}.csv", landing / "products.csv"]
    new = sorted(landing.rglob(f"*{week}*"))
    held = {path: path.read_bytes() for path in [*corrected, *new]}
    for path in corrected:
        path.write_bytes((before / path.relative_to(landing)).read_bytes())
    for path in new:
        path.unlink()
    shutil.rmtree(before)
    return held


def _deliver(files: Mapping[Path, bytes]) -> None:
    """Drop files whole, each under its upload's name first."""
    for path, content in files.items():
        draft = _draft_of(path)
        draft.write_bytes(content)
        draft.rename(path)


def _draft_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _growing(trial: Trial) -> None:
    """An upload that goes on for as long as the cycle: half a file is taken in as no file at all."""
    held = _held_back(trial)
    path = trial.folder / "landing" / "sample" / "shipments" / f"shipments_{trial.at.week}.csv"
    whole = held[path]
    path.write_bytes(whole[:1])
    cycle = trial.run()
    with path.open("ab", buffering=0) as stream:
        for byte in whole[1:]:
            stream.write(bytes([byte]))
            if not cycle.ended:
                time.sleep(_PAUSE)
    trial.end(cycle, [1])
    trial.ending.moments.append(cycle.text.strip().splitlines()[-1])
    _none_but(trial, path.name, len(whole))
    _deliver({other: content for other, content in held.items() if other != path})


def _draft_name(trial: Trial) -> None:
    """What an uploading program names otherwise until it is whole."""
    held = _held_back(trial)
    for path, content in held.items():
        _draft_of(path).write_bytes(content[: len(content) // 2])
    cycle = trial.run()
    trial.end(cycle, [1])
    trial.ending.moments.append(cycle.text.strip().splitlines()[-1])
    _deliver(held)


def _folder_gone(trial: Trial) -> None:
    """The landing folder is gone while a cycle runs, and comes back."""
    landing = trial.folder / "landing"
    cycle = trial.run()
    trial.wait_for_a_moment(cycle)
    trial.ending.moments.append(cycle.at)
    landing.rename(f"{trial.root}-landing")
    trial.end(cycle, [0, 1])
    trial.end(trial.run(), [0, 1])
    trial.readers()
    for path in sorted(landing.rglob("*"), reverse=True):
        path.rmdir()
    if landing.exists():
        landing.rmdir()
    Path(f"{trial.root}-landing").rename(landing)


def _none_but(trial: Trial, name: str, size: int) -> None:
    rows = Lake(trial.root).read("bronze/landing_files").to_pylist()
    halves = [row for row in rows if row["source_file"].endswith(name) and row["bytes"] != size]
    trial.ending.broken += [f"half a file was looked at: {row['source_file']} of {row['bytes']} bytes was {row['status']}" for row in halves]


FAULTS = [
    Fault("landing file that grows", _growing, applies=in_folders),
    Fault("landing file under an upload's name", _draft_name, applies=in_folders),
    Fault("landing folder gone", _folder_gone, applies=in_folders),
]
