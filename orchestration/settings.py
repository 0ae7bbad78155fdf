"""Settings of the environment: where the lake is and how work is spread. The only reader and writer of environment variables."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError
from threadpoolctl import threadpool_limits

from orchestration.profiles import FILE as PROFILES_FILE
from orchestration.profiles import SQLITE, Profile, nearest, read_profiles, same_root
from transforms.errors import ConfigurationError
from transforms.redaction import redacted
from transforms.stores import LANDING, STATE

CHECKOUT = Path(__file__).resolve().parent.parent
DBT_PROJECT = CHECKOUT / "dbt_project"

QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A tracking server that is down must not hold up a run: the mirror catches up later.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    # A range of slices writes its events in batches: see orchestration.event_storage.
    "DAGSTER_EVENT_BATCH_SIZE": "1000",
}
"""Nothing that Shelfcast starts reports to anybody, waits for a tracking server, or writes its events one by one."""

DAGSTER_DATABASE = "SHELFCAST_DAGSTER_DATABASE"
"""Variable with the database of Dagster's run history: the address of a PostgreSQL database, or `sqlite`."""

PROFILE, PROFILES = "SHELFCAST_PROFILE", "SHELFCAST_PROFILES"
"""Variables with the profile in use, and with the file that holds it where that is not the nearest one from the present folder upwards."""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Sums of products are the same to the last bit only with the same number of threads, and a model has to be the same wherever it is trained again."""


class Settings(BaseSettings):
    """Settings by `SHELFCAST_<NAME>` environment variables."""

    model_config = SettingsConfigDict(env_prefix="SHELFCAST_", extra="ignore")

    root: str = str(CHECKOUT / ".shelfcast")
    """Lake root: a folder or an object-store URI."""
    storage_options: dict[str, str] = Field(default_factory=dict, repr=False)
    """Object-store settings as deltalake takes them, as a JSON object: those that go beyond the variables AWS_*."""
    state: str = ""
    """Folder of this machine for what cannot lie in an object store (run history, working copies, logs); empty: one of the user's state folder for
    each root. A root that is a folder holds them itself."""
    first_week: str = ""
    """Monday of the week with which partitions begin, for a process that serves lakes of several companies; empty: the first week that has landed."""
    quiet_seconds: float = Field(default=2, ge=0, le=3600)
    """Seconds for which a new landing file has to stay as it is before it is taken in: half an upload is no delivery."""
    workers: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 8), ge=1)
    """Processes that train regions side by side, one torch thread in each."""
    reports_url: str = "/reports"
    """Beginning of links on asset pages: where `shelfcast ui` serves the reports, at whatever port, unless somebody else serves them."""
    trusted_proxy: str = ""
    """Address under which a team opens the UI through a proxy that signs people in; empty: the UI is for the present user of this machine alone."""
    tracking_uri: str = Field(default="", repr=False)
    """MLflow server to which experiments and the registry are mirrored (needs the extra `mlflow`); empty for the lake alone."""
    openlineage_namespace: str = Field(default="shelfcast", min_length=1)
    """Namespace of the jobs in OpenLineage events, for a receiver of several lakes'; its address is `orchestration.telemetry.receiver`'s."""
    commit: str = ""
    """Git commit of the code, set where an image is built; a checkout tells its own."""
    landing_root: str = ""
    """Lake root whose landing files are read, and never written to, as a profile says (`landing`); empty: the lake's own."""
    leaderboard_data: str = ""
    """Folder with the public orange-juice data; empty: the leaderboard is skipped."""
    salt: str = Field(default="", repr=False)
    """Secret from which `shelfcast obfuscate` makes its names, unless a file holds it."""


def spare_threads() -> None:
    """Called when the package is imported, so before numpy is: this process and those it starts use one thread for linear algebra.

    Runs share the cores as processes; linear algebra of a few thousand numbers that waits for threads spins instead (1.7 times the CPU, measured).
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def settings() -> Settings:
    """Return the settings as the environment has them now; raise `ConfigurationError` where a variable is wrong."""
    return _read(None)


def settings_of(root: str) -> Settings:
    """`settings`, with another root."""
    return _read(root)


def settings_in(name: str) -> Settings:
    """The settings of a profile, whichever is in use."""
    return _read(None, name)


def _read(root: str | None, name: str | None = None) -> Settings:
    try:
        given = _given_by_profile(root) if name is None else _given_by(profile_named(name))
        found = Settings(**given) if root is None else Settings(**{**given, "root": root})
        if "://" not in found.root and not found.landing_root:
            return found
        return found.model_copy(update={"storage_options": _options(found)})
    except ValidationError as error:
        problems = "; ".join(f"SHELFCAST_{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg']}" for problem in error.errors())
        raise ConfigurationError(f"{problems}. Correct the environment variable, or unset it for the default.") from error
    except SettingsError as error:
        raise ConfigurationError(f"{error}: expected JSON. Correct the environment variable, or unset it for the default.") from error


def _given_by_profile(root: str | None) -> dict[str, Any]:
    """What the profile in use says and no variable does. Which lake it is, and whose landing it reads, no variable says otherwise."""
    profile = profile_in_use()
    if profile is None or (root is not None and not same_root(root, profile[1].root)):
        return {}
    name, chosen = profile
    for variable, value in (("SHELFCAST_ROOT", chosen.root), ("SHELFCAST_LANDING_ROOT", _landing_root(chosen))):
        if (told := is_set(variable)) and not same_root(told, value or "/"):
            raise ConfigurationError(
                f"{variable} is {redacted(told, told)}, and profile {name} has {value or 'its own landing'}: a profile is its lake. "
                f"Unset {variable}, or choose the profile of that root."
            )
    return _given_by(chosen)


def _given_by(profile: Profile) -> dict[str, Any]:
    return {
        **{field: value for field, value in profile.given.items() if not is_set(f"SHELFCAST_{field.upper()}")},
        "root": profile.root,
        "landing_root": _landing_root(profile),
    }


def _landing_root(profile: Profile) -> str:
    return known_profiles()[profile.landing].root if profile.landing else ""


def is_set(variable: str) -> str:
    """What a variable of `Settings` holds, whatever the case of its name (as pydantic reads it); empty where it is not set."""
    return next((value for name, value in os.environ.items() if name.upper() == variable), "")


def profiles_file() -> Path | None:
    """The file with profiles: that of the environment, else the nearest from the present folder upwards; None where there is none."""
    if named := os.environ.get(PROFILES, ""):
        return Path(named).resolve()
    here = Path.cwd()
    return next((found for folder in (here, *here.parents) if (found := folder / PROFILES_FILE).is_file()), None)


def known_profiles() -> dict[str, Profile]:
    """Every profile by name; none where there is no file."""
    file = profiles_file()
    return {} if file is None else read_profiles(file)


def profile_in_use() -> tuple[str, Profile] | None:
    """Name and contents of the profile that the environment names; raise `ConfigurationError` where it is in no file."""
    name = os.environ.get(PROFILE, "").strip()
    return (name, profile_named(name)) if name else None


def profile_named(name: str) -> Profile:
    """A profile; raise `ConfigurationError` with those that there are."""
    file = profiles_file()
    if file is None:
        raise ConfigurationError(
            f"Profile {name!r} is asked for, and there is no {PROFILES_FILE} in {Path.cwd()} or above. Write one (docs/operate.md, 'Dev and prod'), "
            f"name it by {PROFILES}, or leave the profile out."
        )
    known = read_profiles(file)
    if name not in known:
        raise ConfigurationError(f"{file} has no profile {name!r}{nearest(name, known)}")
    return known[name]


def profile_of(root: str) -> tuple[str, Profile] | None:
    """The profile whose lake a root is, where one is in use at all: other lakes are then looked at as their own profiles have them."""
    if profile_in_use() is None:
        return None
    return next(((name, profile) for name, profile in known_profiles().items() if same_root(root, profile.root)), None)


def use_profile(name: str) -> Profile:
    """Make a profile's lake that of this process and of those it starts."""
    profile, before = profile_named(name), profile_in_use_or_none()
    if before is not None and same_root(os.environ.get("SHELFCAST_ROOT", ""), before.root):
        # The root is the other profile's, not one that somebody named.
        os.environ.pop("SHELFCAST_ROOT")
    os.environ[PROFILES] = str(profiles_file())
    os.environ[PROFILE] = name
    os.environ["SHELFCAST_ROOT"] = settings().root
    return profile


def location_name() -> str:
    """Name of the code location: the profile in use, else the product's."""
    profile = profile_in_use()
    return "shelfcast" if profile is None else profile[0]


@contextmanager
def any_profile() -> Iterator[None]:
    """While this is open some profile is in use, so that each lake is looked at as its own has it; which one this process works on stays."""
    before = os.environ.get(PROFILE)
    if not before and (known := known_profiles()):
        os.environ[PROFILE] = next(iter(known))
    try:
        yield
    finally:
        _put_back(PROFILE, before)


def set_variables() -> list[str]:
    """Names of Shelfcast's variables that are set."""
    return sorted(name for name in os.environ if name.startswith("SHELFCAST_"))


def profile_in_use_or_none() -> Profile | None:
    """The profile in use; None too where its file is gone or no longer has it."""
    try:
        found = profile_in_use()
    except ConfigurationError:
        return None
    return None if found is None else found[1]


_AWS = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
_ALSO = {"AWS_ENDPOINT_URL": "AWS_ENDPOINT_URL_S3", "AWS_REGION": "AWS_DEFAULT_REGION"}
_IN_A_STORE = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/[\w.=-]+)*/?", re.ASCII)


def _options(found: Settings) -> dict[str, str]:
    """What a lake is opened with beside its root: keys of its store, its folder on this machine, and whose landing it reads."""
    landing = {LANDING: found.landing_root} if found.landing_root else {}
    if "://" in found.landing_root:
        landing |= _keys_of_store(found.landing_root, found.storage_options, "lake root whose landing is read", "the profile")
    if "://" not in found.root:
        return landing
    options = _keys_of_store(found.root, found.storage_options, "lake root", "--root or SHELFCAST_ROOT")
    return {**options, **landing, STATE: str(state_folder(found.root, found.state))}


def vault_options(place: str) -> dict[str, str]:
    """What a place with backups is opened with: nothing for a folder, the keys of the environment for an address."""
    return _keys_of_store(place, settings_of(".").storage_options, "place of the backup", "the address") if "://" in place else {}


def _keys_of_store(address: str, also: dict[str, str], what: str, where: str) -> dict[str, str]:
    if not _IN_A_STORE.fullmatch(address):
        raise ConfigurationError(
            f"The {what} is {redacted(address, address)}; expected a folder, or an address like s3://bucket/prefix. Correct {where}."
        )
    held = {name: held_by(name) or held_by(_ALSO.get(name, name)) for name in _AWS}
    options = {name: value for name, value in held.items() if value} | also
    if missing := [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if name not in options]:
        raise ConfigurationError(
            f"The {what} {address} needs a key, and {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. Set it, or "
            f"{missing[0]}_FILE to a file that holds it."
        )
    options.setdefault("AWS_REGION", "us-east-1")
    if options.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    return options


def state_folder(root: str, state: str) -> Path:
    """Where what has to lie on this machine lies: the root itself where it is a folder."""
    if "://" not in root:
        return Path(root)
    own = sha256(root.rstrip("/").encode()).hexdigest()[:16]
    base = Path(state) if state else Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "shelfcast"
    return (base / own).resolve()


def place_of_logs() -> Path:
    """The lake's folder on this machine where the environment names a root, else the present folder; whatever else is wrong with the settings."""
    root = os.environ.get("SHELFCAST_ROOT", "")
    return state_folder(root, os.environ.get("SHELFCAST_STATE", "")) if root else Path.cwd()


@contextmanager
def commands_beside_interpreter() -> Iterator[None]:
    """While this is open, commands that were installed with this interpreter are found by their names."""
    before = os.environ.get("PATH")
    os.environ["PATH"] = _path()
    try:
        yield
    finally:
        _put_back("PATH", before)


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


@lru_cache(maxsize=1)
def prepare_process() -> None:
    """Let this process and those it starts work on lakes: quiet, with one thread for linear algebra, and with the commands beside the interpreter."""
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    os.environ.update(ONE_THREAD)
    # The variables are read when a library is loaded; this holds for those that have been.
    threadpool_limits(1, user_api="blas")
    # The commands that are started (dbt, dagster) are those beside this interpreter, whether or not its environment is activated.
    os.environ["PATH"] = _path()


def use_root(root: str | None) -> Settings:
    """Make `root` (or, where None, the environment's root or profile) the lake of this process and of those it starts, and return the settings."""
    prepare_process()
    if (profile := profile_in_use()) is not None:
        if root is not None and not same_root(root, profile[1].root):
            raise ConfigurationError(
                f"--root is {redacted(root, root)}, and the lake of profile {profile[0]} is {profile[1].root}: give one of them (the profile comes "
                f"from --profile or {PROFILE})."
            )
        use_profile(profile[0])
    elif root is not None:
        os.environ["SHELFCAST_ROOT"] = root if "://" in root else str(Path(root).resolve())
    return settings()


def held_by(variable: str) -> str:
    """What a variable holds (an address, a key, a secret), or else what the file holds that `<variable>_FILE` names; empty where neither is set."""
    if value := os.environ.get(variable, "").strip():
        return value
    named = os.environ.get(f"{variable}_FILE", "")
    try:
        return Path(named).read_text().strip() if named else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{variable}_FILE names {named}, which cannot be read: {error}. Expected a text file with the value of {variable}."
        ) from error


def dagster_database() -> str:
    """The database of the run history: an address with its password, `sqlite`, or empty where nothing is said.

    Raises
    ------
    ConfigurationError
        If the profile in use has another one than the environment, or names a variable that is not set: its runs would go into two histories.
    """
    profile = profile_in_use()
    return held_by(DAGSTER_DATABASE) if profile is None else storage_of(*profile)


def storage_of(name: str, profile: Profile) -> str:
    """`dagster_database` of a profile, whichever is in use."""
    told, storage = held_by(DAGSTER_DATABASE), profile.run_storage
    if not storage:
        return told
    own = storage if storage == SQLITE else held_by(storage)
    if not own:
        raise ConfigurationError(f"Profile {name} has its run history in the database of {storage}, which is not set. Set it, or {storage}_FILE.")
    if told and told != own:
        raise ConfigurationError(
            f"{DAGSTER_DATABASE} names another run history than profile {name}, which says {storage}: a profile has its own. Unset the variable."
        )
    return own


def use_leaderboard_data(folder: str | None) -> Path | None:
    """Make `folder` (or, where None, the environment's) the leaderboard's data and return it; None where none is given."""
    if folder is not None:
        os.environ["SHELFCAST_LEADERBOARD_DATA"] = str(Path(folder).resolve())
    return Path(settings().leaderboard_data) if settings().leaderboard_data else None


@contextmanager
def dagster_home_at(home: Path, for_good: bool) -> Iterator[None]:
    """Point Dagster, and with `for_good` the processes that are started later too, at a run history."""
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(home)
    try:
        yield
    finally:
        if not for_good:
            _put_back("DAGSTER_HOME", before)


def dagster_home() -> Path:
    """The run history that Dagster is pointed at."""
    return Path(os.environ["DAGSTER_HOME"])


@contextmanager
def one_planned_event_for_each_asset() -> Iterator[None]:
    """While this is open a run is created with one planned event for each asset instead of one for each asset and slice.

    Dagster reads it from the environment. The price: slices of a run that fails show as missing and not as failed.
    """
    name = "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS"
    before = os.environ.get(name)
    os.environ[name] = "true"
    try:
        yield
    finally:
        _put_back(name, before)


def child_environment(**extra: str) -> dict[str, str]:
    """Environment for a process that Shelfcast starts: this one's, with `extra` on top."""
    return {**os.environ, **QUIET, **extra}


def take_environment(environment: Mapping[str, str]) -> None:
    """Make the environment of another process this one's."""
    os.environ.clear()
    os.environ.update(environment)


def _put_back(name: str, before: str | None) -> None:
    if before is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = before
