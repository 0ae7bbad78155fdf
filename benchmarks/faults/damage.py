"""Damaged files: a data file, an entry of a log, a checkpoint, the run history. It is told what is damaged; nothing else suffers."""

import shutil
from pathlib import Path

from deltalake import DeltaTable

from benchmarks.faults.trial import Fault, Trial
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
    cycle = trial.run()
    trial.ending.told(cycle.text, cycle.wait(), [0, 1])
    cycle.end_rest()
    found = trial.run("doctor")
    trial.ending.told(found.text, found.wait(), [0, 1])
    if name not in found.text:
        trial.ending.broken.append(f"the doctor does not name {name}: {found.text}")
    trial.readers()
    trial.folder.rename(f"{trial.root}-damaged")
    restored = trial.run("restore", str(trial.at.backup))
    trial.ending.told(restored.text, restored.wait(), [0])
    shutil.rmtree(f"{trial.root}-damaged")
    trial.damaged.clear()


def _data(trial: Trial) -> None:
    name, _ = _table(trial)
    Path(trial.chance.choice(Lake(trial.root).files(name))).write_bytes(_GARBAGE)
    _run_damaged(trial, name, "a data file")


def _log(trial: Trial) -> None:
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
    cycle = trial.run()
    trial.ending.told(cycle.text, cycle.wait(), [0, 1])
    cycle.end_rest()
    mended = trial.run("doctor", "--mend")
    trial.ending.told(mended.text, mended.wait(), [0])


def _history_lost(trial: Trial) -> None:
    _killed_at_a_moment(trial)
    shutil.rmtree(trial.folder / "dagster")


def _history_corrupt(trial: Trial) -> None:
    _killed_at_a_moment(trial)
    for path in (trial.folder / "dagster" / "history").rglob("*.db"):
        path.write_bytes(_GARBAGE * 64)
    cycle = trial.run()
    trial.ending.told(cycle.text, cycle.wait(), [1])
    mended = trial.run("doctor", "--mend")
    trial.ending.told(mended.text, mended.wait(), [0])


def _killed_at_a_moment(trial: Trial) -> None:
    cycle = trial.run()
    trial.wait_for_a_moment(cycle)
    trial.ending.moments.append(cycle.at)
    cycle.kill("group", trial.chance)
    cycle.wait()
    cycle.end_rest()


FAULTS = [
    Fault("data file corrupt", _data, in_folders_alone=True),
    Fault("log corrupt", _log, in_folders_alone=True),
    Fault("checkpoint corrupt", _checkpoint, in_folders_alone=True),
    Fault("run history lost", _history_lost, in_folders_alone=True),
    Fault("run history corrupt", _history_corrupt, in_folders_alone=True),
]
