"""Landing while it changes: a file that grows as it is taken in, one under the name of an upload, and a folder that is gone."""

import threading
import time
from pathlib import Path

from benchmarks.faults.trial import Fault, Trial, in_folders
from transforms.lake.tables import Lake

_PIECES, _PAUSE = 40, 0.4


def _newest(trial: Trial) -> Path:
    return trial.folder / "landing" / "sample" / "shipments" / f"shipments_{trial.at.week}.csv"


def _growing(trial: Trial) -> None:
    """An upload that begins before the cycle and ends after it has looked: half a file is taken in as no file at all."""
    path, whole = _newest(trial), _newest(trial).read_bytes()
    path.write_bytes(b"")
    done = threading.Event()

    def upload() -> None:
        size = len(whole) // _PIECES + 1
        with path.open("wb", buffering=0) as stream:
            for piece in range(_PIECES):
                stream.write(whole[piece * size : (piece + 1) * size])
                time.sleep(_PAUSE)
        done.set()

    thread = threading.Thread(target=upload)
    thread.start()
    cycle = trial.run()
    trial.end(cycle, [0, 1])
    thread.join()
    trial.ending.moments.append(cycle.at)
    _none_but(trial, path.name, len(whole))


def _draft_name(trial: Trial) -> None:
    """What an uploading program names otherwise until it is whole."""
    path = _newest(trial)
    half = path.with_name(f"{path.name}.part")
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    whole = path.read_bytes()
    path.unlink()
    cycle = trial.run()
    trial.end(cycle, [1])
    trial.ending.moments.append(cycle.at)
    half.write_bytes(whole)
    half.rename(path)


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
