"""The code location: everything that Dagster shows and runs, merged from the stages; what a stage holds stands in its module of `defs`,
and what of it starts by itself in the profile in use.

Importing it only looks: no variable is set and no file of a lake written; the dbt manifest alone is parsed again where the dbt project's files have
changed. A process gets its quiet environment from the command that it works for (`shelfcast ui` hands it on to webserver, daemon and code server),
and, where Dagster was started in another way, from the lake resource as soon as a step asks for it.
"""

import warnings
from copy import copy
from typing import Any

import dagster as dg
from dagster._utils.schedules import is_valid_cron_schedule

from orchestration.profiles import Automation, nearest
from orchestration.runtime.resources import LakeResource
from orchestration.settings import profile_in_use
from transforms.errors import ConfigurationError

# Accepted in DECISIONS.md: partition mappings, column lineage and other features that may still change.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", category=dg.PreviewWarning)
    warnings.simplefilter("ignore", category=dg.BetaWarning)
    from orchestration.defs import (
        ab_tests,
        audit,
        conditioning,
        datasets,
        experiments,
        landing,
        maintenance,
        monitoring,
        plans,
        scoring,
        training,
    )
    from orchestration.defs.automation import cycle
    from orchestration.defs.automation import landing as landing_files
    from orchestration.defs.operations import alerts, finished

    STAGES = (landing, conditioning, datasets, training, scoring, plans, monitoring, ab_tests, experiments, audit, maintenance)
    AUTOMATION = (landing_files, cycle, alerts, finished)


def all_definitions() -> dg.Definitions:
    """Everything as it is defined, whatever a profile starts by itself."""
    return dg.Definitions.merge(
        # One process for a run: imports are paid once, and regions are spread over processes inside the training step. Steps hand each other nothing
        # but the lake; Dagster's default would pickle into a folder that a run's configuration names.
        dg.Definitions(resources={"lake": LakeResource(), "io_manager": dg.mem_io_manager}, executor=dg.in_process_executor),
        *(stage.definitions() for stage in (*STAGES, *AUTOMATION)),
    )


def switched(defs: dg.Definitions) -> dg.Definitions:
    """The same definitions with the switches of the profile in use; as they are without one.

    Raises
    ------
    ConfigurationError
        If the profile names what there is not.
    """
    profile = profile_in_use()
    if profile is None or not profile[1].automation.model_fields_set:
        return defs
    name, automation = profile[0], profile[1].automation
    if problems := wrong(automation, defs):
        raise ConfigurationError(f"Profile {name}, key automation: {'; '.join(problems)}.")
    sensors = [_started(copy(sensor), dg.DefaultSensorStatus, automation) for sensor in defs.sensors or ()]
    schedules = [_ticking(_started(copy(schedule), dg.DefaultScheduleStatus, automation), automation) for schedule in defs.schedules or ()]
    return dg.Definitions(
        assets=defs.assets,
        asset_checks=defs.asset_checks,
        jobs=defs.jobs,
        sensors=sensors,
        schedules=schedules,
        resources=defs.resources,
        executor=defs.executor,
        loggers=defs.loggers,
    )


def wrong(automation: Automation, defs: dg.Definitions) -> list[str]:
    """What a profile says of sensors and schedules that cannot be so."""
    schedules = [schedule.name for schedule in defs.schedules or ()]
    known = [*(sensor.name for sensor in defs.sensors or ()), *schedules]
    named = automation.starts if isinstance(automation.starts, tuple) else ()
    found = [f"starts: there is no sensor or schedule {name!r}{nearest(name, known)}" for name in named if name not in known]
    found += [f"cron: there is no schedule {name!r}{nearest(name, schedules)}" for name in automation.cron if name not in schedules]
    bad = [f"cron.{name}: expected five fields like '0 6 * * 3', came {cron!r}" for name, cron in automation.cron.items() if not _is_cron(cron)]
    return found + bad


def _is_cron(text: str) -> bool:
    return len(text.split()) == 5 and is_valid_cron_schedule(text)


def _started(one: Any, status: Any, automation: Automation) -> Any:
    starts = automation.starts
    if starts is not None:
        # Dagster has no way to change it on a definition that was made already.
        one._default_status = status.RUNNING if starts == "all" or (starts != "none" and one.name in starts) else status.STOPPED
    return one


def _ticking(schedule: Any, automation: Automation) -> Any:
    if schedule.name in automation.cron:
        schedule._cron_schedule = automation.cron[schedule.name]
    return schedule


with warnings.catch_warnings():
    warnings.simplefilter("ignore", category=dg.PreviewWarning)
    warnings.simplefilter("ignore", category=dg.BetaWarning)
    defs = switched(all_definitions())
