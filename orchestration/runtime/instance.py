"""The Dagster instance of a lake: its settings file, and the run history, in which no run stays begun whose process is gone."""

import importlib.util
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import yaml
from dagster._core.instance.ref import InstanceRef

from orchestration.history.batches import BatchingEventLog
from orchestration.history.database import SQLITE, HistoryLost, engine_address, has_schema, make_schema, schema_of, set_aside_damaged
from orchestration.history.locks import FileRunLocks, RunLocks
from orchestration.settings import DAGSTER_DATABASE, dagster_database, dagster_home_at
from transforms.errors import ConfigurationError

FILE = "dagster.yaml"
_HEAD = "# Written by shelfcast; the run history of this lake.\n"
_BLOCKS = {
    "telemetry": "telemetry:\n  enabled: false\n",
    "nux": "nux:\n  enabled: false\n",
    # Without a folder: the one below DAGSTER_HOME, so that a root that is copied or moved writes into its own.
    "event_log_storage": "event_log_storage:\n  module: orchestration.event_storage\n  class: BatchingSqliteEventLogStorage\n",
    "run_launcher": "run_launcher:\n  module: orchestration.run_launcher\n  class: WatchedRunLauncher\n",
    # Puts who started a run in the UI on it.
    "run_coordinator": "run_coordinator:\n  module: orchestration.web.run_coordinator\n  class: PersonalRunCoordinator\n",
    # A run worker loads the code location before it starts, which takes minutes on a machine that is busy.
    "run_monitoring": (
        "run_monitoring:\n  enabled: true\n  poll_interval_seconds: 30\n  start_timeout_seconds: 900\n  cancel_timeout_seconds: 900\n"
    ),
    # Runs whose process is gone, and no others: what a step refuses it would refuse again.
    "run_retries": "run_retries:\n  enabled: true\n  max_retries: 2\n  retry_on_asset_or_op_failure: false\n",
    "concurrency": "concurrency:\n  runs:\n    max_concurrent_runs: 2\n",
    "backfills": "backfills:\n  use_threads: false\n",
    "schedules": "schedules:\n  use_threads: true\n",
    "sensors": "sensors:\n  use_threads: true\n",
}
_FOLDER_OF_BEFORE = re.compile(r"(  class: BatchingSqliteEventLogStorage\n)  config:\n    base_dir: [^\n]*/dagster/history/runs\n")
"""Files of before named the folder of the root that they were written for."""
_POSTGRESQL = "storage:\n  custom:\n    module: orchestration.history.postgresql\n    class: PostgresqlStorage\n    config: {}\n"
_STORAGES = {"storage", "run_storage", "event_log_storage", "schedule_storage"}
_BEGUN = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
_ADDED_LATER = ("run_launcher", "run_monitoring", "run_coordinator", "run_retries")
_LOG = logging.getLogger(__name__)


@contextmanager
def open_instance(root: Path, local: bool, tell: Callable[[str], None] = _LOG.warning, or_without: bool = False) -> Iterator[dg.DagsterInstance]:
    """Open the run history of `root`, or one that is gone afterwards; runs whose process is gone are failed by then.

    Parameters
    ----------
    tell
        Takes what became of the history, where it is begun anew or elsewhere.
    or_without
        Go on with a history that is gone afterwards where the database of the root's cannot be reached.
    """
    database = "" if local else dagster_database()
    if database not in {"", SQLITE}:
        try:
            _reach(database, root / "dagster")
        except HistoryLost as lost:
            if not or_without:
                raise
            tell(f"{lost} This command goes on without, and leaves no history.")
            local, database = True, ""
    with TemporaryDirectory(prefix="shelfcast-runs-") if local else nullcontext(root / "dagster") as folder:
        home = Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        _prepare(home / FILE, database, tell)
        if database in {"", SQLITE}:
            set_aside_damaged(home, tell)
        # Not Dagster's storage in memory: that one opens a connection for each event, 8 ms for every slice and asset of a range.
        with dagster_home_at(home, for_good=not local), dg.DagsterInstance.from_config(str(home)) as instance:
            fail_dead_runs(instance)
            yield instance


@contextmanager
def history_as_it_is(root: Path) -> Iterator[dg.DagsterInstance | None]:
    """The run history that `open_instance` would open for good, where it would lie and with nothing done to it; None where it is not begun.

    Raises
    ------
    ConfigurationError
        As `open_instance` does; `HistoryLost` where the database cannot be reached.
    """
    home, database = root / "dagster", dagster_database()
    settings = _settings(home / FILE, database, lambda _: None)
    if not _is_begun(home, database):
        yield None
        return
    with TemporaryDirectory(prefix="shelfcast-settings-") as folder, dagster_home_at(home, for_good=False):
        Path(folder, FILE).write_text(settings)
        with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), config_dir=folder)) as instance:
            yield instance


def hold_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Hold the lock of a run that this process is about to create and execute."""
    storage = instance.event_log_storage
    if isinstance(storage, BatchingEventLog):
        storage.locks.hold(run_id)


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs as failed, or as canceled where somebody wanted that, whose process was killed; return their ids.

    Otherwise they would count as running for ever, and two of them would keep everything else waiting.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, BatchingEventLog):
        return []
    begun = {run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=list(_BEGUN)))}
    failed = []
    for run_id in sorted(begun | storage.locks.known()):
        if run_id in begun and storage.locks.is_held(run_id):
            continue
        with storage.locks.claim(run_id) as free:
            # Read again: it may have ended between the two looks.
            run = instance.get_run_by_id(run_id) if free else None
            # A run that is not begun and has a lock was created by the process that was to execute it.
            if run is not None and (run.status in _BEGUN or run.status == dg.DagsterRunStatus.NOT_STARTED):
                _end(instance, run)
                failed.append(run_id)
            if free and (run is None or run.is_finished or run_id in failed):
                storage.locks.forget(run_id)
    return failed


def dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Runs that `fail_dead_runs` would end."""
    storage = instance.event_log_storage
    if not isinstance(storage, BatchingEventLog):
        return []
    known = storage.locks.known()
    begun = instance.get_runs(dg.RunsFilter(statuses=[*_BEGUN, dg.DagsterRunStatus.NOT_STARTED]))
    of_ours = [run.run_id for run in begun if run.status in _BEGUN or run.run_id in known]
    return [run_id for run_id in sorted(of_ours) if not storage.locks.is_held(run_id)]


def executed_runs(root: Path) -> list[str]:
    """Runs of a root that some process executes at the moment, in files below it or in the database that the environment names."""
    home, database = root / "dagster", dagster_database()
    if (found := executed_in_files(home)) or database in {"", SQLITE} or not _is_begun(home, database):
        return found
    from orchestration.history.postgresql import PostgresqlRunLocks  # noqa: PLC0415 - an extra that files do not need

    return _held(PostgresqlRunLocks(engine_address(database, schema_of(home))))


def executed_in_files(home: Path) -> list[str]:
    """Runs that some process of this machine executes at the moment, of a history in files."""
    return _held(FileRunLocks(home / "history" / "executed"))


def _held(locks: RunLocks) -> list[str]:
    return [run_id for run_id in sorted(locks.known()) if locks.is_held(run_id)]


def of_another_root(home: Path) -> str:
    """What in the settings file names a folder outside of the home that it stands in; empty where nothing does."""
    config = home / FILE
    found = re.findall(r"^[^#\n]*base_dir: *([^\n]+)$", config.read_text(), re.MULTILINE) if config.exists() else []
    outside = [folder.strip("\"' ") for folder in found if not Path(folder.strip("\"' ")).resolve().is_relative_to(home.resolve())]
    return outside[0] if outside else ""


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    why = "The process that executed this run is gone: it was killed, or the machine was restarted. What was finished stays; run it again."
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, why)
    else:
        instance.report_run_failed(run, why)


def _reach(database: str, home: Path) -> None:
    """Make sure that the database can hold the history."""
    _need_extra()
    home.mkdir(parents=True, exist_ok=True)
    make_schema(database, home)


def _is_begun(home: Path, database: str) -> bool:
    """Whether there is a history where the environment wants it."""
    if database in {"", SQLITE}:
        return (home / FILE).exists() or (home / "history").is_dir()
    _need_extra()
    return has_schema(database, home)


def _need_extra() -> None:
    if importlib.util.find_spec("dagster_postgres") is None:
        raise ConfigurationError(
            f"{DAGSTER_DATABASE} names a PostgreSQL database, for which the extra is missing: pip install 'shelfcast[postgresql]', or unset it."
        )


def _prepare(config: Path, database: str, tell: Callable[[str], None]) -> None:
    """Write the settings file where there is none, and bring one of before up to date."""
    text = _settings(config, database, tell)
    if not config.exists() or text != config.read_text():
        draft = config.with_suffix(".tmp")
        draft.write_text(text)
        draft.replace(config)


def _settings(config: Path, database: str, tell: Callable[[str], None]) -> str:
    """What the settings file is to hold; whatever else stands in it is the user's."""
    before = config.read_text() if config.exists() else _HEAD
    text = _placed(_FOLDER_OF_BEFORE.sub(r"\1", before), database, config, tell)
    there = _parsed(text, config)
    wanted = _ADDED_LATER if config.exists() else [name for name in _BLOCKS if name not in _STORAGES]
    return text + "".join(_BLOCKS[name] for name in wanted if name not in there)


def _placed(text: str, database: str, config: Path, tell: Callable[[str], None]) -> str:
    """The settings with the history where the environment wants it; it is told where that is another place than before."""
    there, ours = _parsed(text, config), _BLOCKS["event_log_storage"]
    if database in {"", SQLITE}:
        if _POSTGRESQL not in text:
            return text if config.exists() else text + ours
        if not database:
            raise ConfigurationError(
                f"The run history of {config.parent.parent} is in PostgreSQL, and {DAGSTER_DATABASE} is not set: set it (or {DAGSTER_DATABASE}_FILE) "
                f"to the address, or to '{SQLITE}' to go on in files below the root. The history of before then stays in the database."
            )
        tell(f"The run history is in {config.parent / 'history'} from now on; that of before stays in the database.")
        return text.replace(_POSTGRESQL, ours)
    if _POSTGRESQL in text:
        return text
    text = re.sub(rf"^{re.escape(ours)}(?! )", "", text, flags=re.MULTILINE)
    if others := sorted(_STORAGES & set(_parsed(text, config))):
        raise ConfigurationError(
            f"{config} places the run history itself ({', '.join(others)}), and {DAGSTER_DATABASE} is set: remove those lines, or unset the variable."
        )
    if there and config.exists():
        tell(f"The run history is in the database of {DAGSTER_DATABASE} from now on; that of before stays in {config.parent / 'history'}.")
    return text + _POSTGRESQL


def _parsed(text: str, config: Path) -> dict[str, object]:
    try:
        parsed = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{config} is not YAML: {error}. Mend it, or remove it: it is then written anew.") from error
    if not isinstance(parsed, dict):
        raise ConfigurationError(f"{config} holds no settings but {type(parsed).__name__}. Mend it, or remove it: it is then written anew.")
    return parsed
