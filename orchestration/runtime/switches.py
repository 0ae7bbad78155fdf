"""Which sensors and schedules start by themselves, and when schedules tick, as the profile in use says. A switch in the UI counts more."""

from copy import copy
from typing import Any

import dagster as dg
from dagster._utils.schedules import is_valid_cron_schedule

from orchestration.profiles import Automation, nearest
from orchestration.settings import profile_in_use
from transforms.errors import ConfigurationError


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
