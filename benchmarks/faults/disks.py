"""Disks that are full, let nobody write, or limit the size of files."""

import resource
import shutil
import subprocess

from benchmarks.faults.trial import Fault, NotHere, Trial, in_folders

_ROOMY = "2g"
_MIB = 1 << 20


def _mount(trial: Trial) -> None:
    trial.folder.mkdir()
    _mounted("-t", "tmpfs", "-o", f"size={_ROOMY}", "tmpfs", trial.root)


def _mounted(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise NotHere(f"a small disk cannot be mounted here: {done.stderr.strip()}")


def _unmount(trial: Trial) -> None:
    subprocess.run(["umount", "-l", trial.root], check=False, capture_output=True)


def _full(trial: Trial) -> None:
    """A disk with less room than the cycle needs, whatever step that stops at."""
    room = int(trial.chance.uniform(0, 1) * trial.at.grown)
    used = shutil.disk_usage(trial.root).used
    _mounted("-o", f"remount,size={used + room}", trial.root)
    cycle = trial.run()
    # A step may come by with what is left.
    trial.end(cycle, [0, 1])
    trial.ending.moments.append(f"{room:,} bytes left: {cycle.at}")
    _mounted("-o", f"remount,size={_ROOMY}", trial.root)


def _read_only(trial: Trial) -> None:
    """A root that nobody may write to."""
    _mounted("-o", "remount,ro", trial.root)
    cycle = trial.run()
    trial.end(cycle, [1])
    trial.ending.moments.append(cycle.at)
    _mounted("-o", "remount,rw", trial.root)


def _limited(trial: Trial) -> None:
    """A quota on the size of each file, as a user's limits set it."""
    most = trial.chance.randint(1, 64) * 4096
    cycle = trial.run()
    # What it starts has the same limit.
    resource.prlimit(cycle.process.pid, resource.RLIMIT_FSIZE, (most, most))
    trial.end(cycle, [0, 1])
    trial.ending.moments.append(f"files of {most:,} bytes at most: {cycle.at}")


FAULTS = [
    Fault("disk full", _full, _mount, _unmount, applies=in_folders),
    Fault("root read-only", _read_only, _mount, _unmount, applies=in_folders),
    Fault("size of files limited", _limited, applies=in_folders),
]
