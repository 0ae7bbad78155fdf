"""Clocks that jump: the cycle is killed under a clock that was set back or forward by more than a year, and run again under the right one.

A store refuses what is signed with a clock that is off by more than minutes: there the cycle says so, and has changed nothing.
"""

import os
import shutil
from functools import partial
from pathlib import Path

from benchmarks.faults.trial import Fault, NotHere, Trial

_LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")
# The library refuses to sleep until a moment of a clock that it leaves alone, as Python does.
_SLEEP = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds) and None\n"
_REFUSED = "this machine's clock is wrong by more than it allows"


def _jump(shift: str, trial: Trial) -> None:
    libraries = [str(path) for pattern in _LIBRARIES for path in Path("/").glob(pattern.removeprefix("/"))]
    if not libraries:
        raise NotHere("libfaketime is not installed: apt-get install faketime")
    awake = trial.place.beside(trial.root, "-sleep")
    awake.mkdir()
    (awake / "sitecustomize.py").write_text(_SLEEP)
    # Waiting is by the monotonic clock, and files have the kernel's times.
    shifted = {"LD_PRELOAD": libraries[0], "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
    cycle = trial.run(environment={**shifted, "PYTHONPATH": os.pathsep.join([str(awake), os.environ.get("PYTHONPATH", "")])})
    if trial.chance.random() < 0.5:
        trial.wait_for_a_moment(cycle)
        trial.ending.moments.append(f"clock {shift}, killed: {cycle.at}")
        cycle.kill("group", trial.chance)
    else:
        trial.ending.moments.append(f"clock {shift}")
    code = trial.end(cycle, [0, -9] if trial.place.is_folder else [0, 1, -9])
    if code == 1 and _REFUSED not in cycle.text:
        trial.ending.wedged.append(f"exit code 1 without {_REFUSED!r}")
    shutil.rmtree(awake)


FAULTS = [Fault("clock set back", partial(_jump, "-400d")), Fault("clock set forward", partial(_jump, "+400d"))]
