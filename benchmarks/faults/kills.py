"""Killed processes: SIGKILL of a process of a cycle's tree, or of all, at a random moment of a random phase, several times before it may end."""

from functools import partial

from benchmarks.faults.command import Command, Kind
from benchmarks.faults.trial import Fault, Trial

NAME = "kill -9"
CHAIN = 10
"""Kills one after the other on the same lake: all but the first hit a recovery, or what an earlier kill left running."""
_SHORT_LIVED: dict[Kind, float] = {"dbt": 3.0, "worker": 1.5, "fork server": 3.0, "workbook reader": 0.3}
"""Processes of a cycle that come and go, and the seconds that they live, about."""
_KILLED = [0, 1, -9]


def _kill(chain: int, trial: Trial) -> None:
    """Half of the lakes have their processes killed at moments of all phases; the others those of one kind, which by chance alone are hardly hit."""
    if trial.chance.random() < 0.5:
        _kill_of_kind(trial.chance.choice([*_SHORT_LIVED]), chain, trial)
    else:
        _kill_at_moments(chain, trial)


def _kill_of_kind(kind: Kind, chain: int, trial: Trial) -> None:
    for _ in range(chain):
        # There is no worker and no fork server with less than two.
        cycle = trial.run(environment={"SHELFCAST_WORKERS": "2"})
        if cycle.until(partial(cycle.is_there, kind)):
            cycle.pause(trial.chance.uniform(0, _SHORT_LIVED[kind]))
            if killed := cycle.kill(kind, trial.chance) or cycle.kill("any", trial.chance):
                trial.ending.kills.append((killed, cycle.at))
        if _ended(trial, cycle) == 0:
            return


def _kill_at_moments(chain: int, trial: Trial) -> None:
    phases, chance = trial.at.phases, trial.chance
    cycle: Command | None = None
    # In the order of a cycle: what is finished does not come again.
    for number in sorted(chance.choices(range(len(phases)), k=chain)):
        if cycle is not None and cycle.ended:
            if _ended(trial, cycle) == 0:
                return
            cycle = None
        cycle = cycle or _begun(trial)
        if not cycle.until_in(phases, number):
            if _ended(trial, cycle) == 0:
                return
            # An earlier kill of one of its processes had ended it.
            cycle = _begun(trial)
            if not cycle.until_in(phases, number):
                trial.end(cycle, [0])
                return
        cycle.stay_in(phases, number, chance.random())
        killed = cycle.kill("any", chance)
        if killed is not None:
            trial.ending.kills.append((killed, cycle.at))
        if killed in {"group", "command"}:
            _ended(trial, cycle)
            cycle = None
    if cycle is not None:
        _ended(trial, cycle)


def _begun(trial: Trial) -> Command:
    """With one worker there is no fork server, and everything happens in the command's own process: both ways are gone."""
    return trial.run(environment={"SHELFCAST_WORKERS": trial.chance.choice(["1", "2"])})


def _ended(trial: Trial, cycle: Command) -> int:
    code = trial.end(cycle, _KILLED)
    trial.readers()
    return code


FAULTS = [Fault(NAME, partial(_kill, CHAIN))]
SHORT = Fault(NAME, partial(_kill, 3))
