"""Damaged files: a data file, an entry of a log, a checkpoint, the run history. It is told what is damaged; nothing else suffers."""

import shutil
from pathlib import Path

from deltalake import DeltaTable

from benchmarks.faults.place import Place
from benchmarks.faults.trial import Fault, Trial, in_folders
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake

_GARBAGE = b"garbage " * 64


def _table(trial: Trial) -> tuple[str, Path]:
    lake = Lake(trial.root)
    name = trial.chance.choice([name for name in CONTRACTS if lake.exists(name) and lake.files(name)])
    return name, lake.path("lake", name)


def _run_damaged(trial: Trial, name: str, what: str) -> None:
    """A cycle either does without the table or says in a sentence that it cannot be read; then the backup is restored in the root's place."""
    trial.damaged.append(name)
    trial.ending.moments.append(f"{what} of {name}")
    trial.end(trial.run(), [0, 1])
    found = trial.run("doctor")
    trial.end(found, [0, 1])
    if name not in found.text:
        trial.ending.broken.append(f"the doctor does not name {name}: {found.text}")
    trial.readers()
    trial.folder.rename(f"{trial.root}-damaged")
    trial.end(trial.run("restore", _backup(trial)), [0])
    shutil.rmtree(f"{trial.root}-damaged")
    shutil.rmtree(_backup(trial))
    trial.damaged.clear()


def _backup(trial: Trial) -> str:
    return f"{trial.root}-backup"


def _back_up(trial: Trial) -> None:
    trial.end(trial.run("backup", "--to", _backup(trial)), [0])


def _data(trial: Trial) -> None:
    _back_up(trial)
    name, _ = _table(trial)
    Path(trial.chance.choice(Lake(trial.root).files(name))).write_bytes(_GARBAGE)
    _run_damaged(trial, name, "a data file")


def _log(trial: Trial) -> None:
    _back_up(trial)
    name, folder = _table(trial)
    trial.chance.choice(sorted((folder / "_delta_log").glob("*.json"))).write_bytes(_GARBAGE)
    _run_damaged(trial, name, "an entry of the log")


def _checkpoint(trial: Trial) -> None:
    """The log holds what a checkpoint tells: the doctor removes one that is damaged."""
    name, folder = _table(trial)
    DeltaTable(str(folder)).create_checkpoint()
    for path in (folder / "_delta_log").glob("*.checkpoint*.parquet"):
        path.write_bytes(_GARBAGE)
    trial.ending.moments.append(f"a checkpoint of {name}")
    trial.end(trial.run(), [0, 1])
    trial.end(trial.run("doctor", "--mend"), [0])


def _history_lost(trial: Trial) -> None:
    _killed_at_a_moment(trial)
    shutil.rmtree(trial.folder / "dagster")


def _history_corrupt(trial: Trial) -> None:
    """What cannot be read is set aside, and the cycle goes on with a new history."""
    _killed_at_a_moment(trial)
    for path in (trial.folder / "dagster" / "history").rglob("*.db"):
        path.write_bytes(_GARBAGE * 64)
    cycle = trial.run()
    trial.end(cycle, [0])
    if "is damaged" not in cycle.text:
        trial.ending.broken.append(f"nothing was said of the damaged run history: {cycle.text}")


def _killed_at_a_moment(trial: Trial) -> None:
    cycle = trial.run()
    trial.wait_for_a_moment(cycle)
    trial.ending.moments.append(cycle.at)
    cycle.kill("group", trial.chance)
    cycle.wait()
    cycle.end_rest()


def _has_history_files(place: Place) -> bool:
    return place.is_folder and place.has_history_files


FAULTS = [
    Fault("data file corrupt", _data, applies=in_folders),
    Fault("log corrupt", _log, applies=in_folders),
    Fault("checkpoint corrupt", _checkpoint, applies=in_folders),
    Fault("run history lost", _history_lost, applies=_has_history_files),
    Fault("run history corrupt", _history_corrupt, applies=_has_history_files),
]
