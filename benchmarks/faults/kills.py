"""Killed processes: SIGKILL of a process of a cycle's tree, or of all, at a random moment of a random phase, several times before it may end."""

from functools import partial

from benchmarks.faults.command import Command, Kind
from benchmarks.faults.trial import Fault, Trial

NAME = "kill -9"
CHAIN = 10
"""Kills one after the other on the same lake: all but the first hit a recovery, or what an earlier kill left running."""
_SHORT_LIVED: tuple[Kind, ...] = ("dbt", "worker", "fork server", "workbook reader")
_WANTED = 0.5
"""Share of the kills that wait for one of these within the phase: by chance alone they are hardly ever hit."""
_LIVES = 0.5
"""Seconds, about, that the shortest of them goes on."""
_KILLED = [0, 1, -9]


def _kill(chain: int, trial: Trial) -> None:
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
        wanted = chance.choice(_SHORT_LIVED)
        if chance.random() < _WANTED and cycle.until_there(wanted, phases, number):
            cycle.pause(chance.uniform(0, _LIVES))
            killed = cycle.kill(wanted, chance) or cycle.kill("any", chance)
        else:
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
