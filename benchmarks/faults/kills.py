"""Killed processes: SIGKILL of one process of a cycle's tree, or of all, at random moments and as steps begin, several times before it may end."""

import time
from functools import partial

from benchmarks.faults.command import Kind
from benchmarks.faults.trial import Fault, Trial

CHAIN = 3
"""Cycles that are killed one after the other on the same lake: the second and third kill hit a recovery."""
KINDS: tuple[Kind, ...] = ("group", "command", "dbt", "worker", "workbook reader")
_LONGEST_STILL = 4.0


def _kill(kind: Kind, trial: Trial) -> None:
    for _ in range(CHAIN):
        cycle = trial.run()
        if kind in {"group", "command"}:
            trial.wait_for_a_moment(cycle)
        else:
            cycle.until(partial(cycle.is_there, kind))
            # A reader of workbooks ends within moments.
            time.sleep(trial.chance.uniform(0, 0.05 if kind == "workbook reader" else _LONGEST_STILL))
        moment = cycle.at
        if cycle.kill(kind, trial.chance):
            trial.ending.moments.append(moment)
        code = cycle.wait()
        cycle.end_rest()
        # A cycle whose moment did not come, or that did without the process, has done its work.
        trial.ending.told(cycle.text, code, [0, 1, -9])
        trial.readers()


FAULTS = [Fault(f"kill -9: {kind}", partial(_kill, kind)) for kind in KINDS]
