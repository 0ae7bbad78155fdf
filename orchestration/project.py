"""The project file of a lake root, `shelfcast.yaml`: which provider feeds it and what is decided about its models."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from models.ensemble.ensemble import available_members
from models.evaluation.gate import MAX_REGRESSION, Gate
from models.members.settings import Settings
from models.training.spec import TrainingSpec
from orchestration.alerts.rules import AlertRule, Expected, distinct
from orchestration.profiles import Profile, nearest
from orchestration.settings import PROFILE, profile_of, use_root
from orchestration.settings import Settings as Environment
from transforms.calendar import FURTHEST
from transforms.clusters import Clusters
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.remote.working_copy import brought, holds_anything, probe, pulled, push
from transforms.lake.tables import Lake
from transforms.panel.panel import SoldOutWeeks
from transforms.records.data_checks import Limits
from transforms.records.releases import finish
from transforms.records.upkeep import Rules
from transforms.whole_files import write_whole
from transforms.yaml_files import RuleBroken, read_model

FILE = "shelfcast.yaml"
PROVIDER_FOLDER = "provider"
"""Where a provider's YAML lies in a lake."""
_RETIRED = {"drift_share"}
_LIMITS = Limits()


class RegressionSettings(BaseModel):
    """Share by which each metric may be worse than the champion's; see `models.evaluation.gate.MAX_REGRESSION` for where the values are from."""

    model_config = ConfigDict(extra="forbid")

    mape: float = Field(default=MAX_REGRESSION["mape"], ge=0)
    rmse_0: float = Field(default=MAX_REGRESSION["rmse_0"], ge=0)
    rmse_all: float = Field(default=MAX_REGRESSION["rmse_all"], ge=0)
    bias: float = Field(default=MAX_REGRESSION["bias"], ge=0)
    """In shares of the mean demand."""
    cost: float = Field(default=MAX_REGRESSION["cost"], ge=0)


class GateSettings(BaseModel):
    """Rules by which a model is significant and models are compared; see `models.evaluation.gate.Gate`. What serves is the best in validation."""

    model_config = ConfigDict(extra="forbid")

    max_mape: float = Field(default=Gate.max_mape, gt=0)
    """Largest MAPE of a significant model on the held-back weeks, as a fraction."""
    min_improvement: float = Field(default=Gate.min_improvement, ge=0, lt=1)
    """Share by which the MAPE of a significant model lies below the historical average's."""
    max_regression: RegressionSettings = RegressionSettings()
    confidence: float = Field(default=Gate.confidence, gt=0.5, lt=1)
    """Confidence with which a metric has to be worse than the champion's before that counts."""
    rollback_after_weeks: int = Field(default=3, ge=0)
    """Weeks in a row in which live accuracy falls short of validation before a better champion comes back by itself; 0 for never."""

    @property
    def judged(self) -> dict[str, Any]:
        """Fields of `models.evaluation.gate.Gate`."""
        return self.model_dump(exclude={"rollback_after_weeks"})


class RetrainSettings(BaseModel):
    """When a model is trained again; changed data, changed training code and changed settings always do."""

    model_config = ConfigDict(extra="forbid")

    every_weeks: int = Field(default=1, ge=1)
    """New weeks of data that count as new data: 1 trains every week, 4 every fourth week or on cause."""
    max_age_days: int = Field(default=60, ge=7)
    """Age from which a model is trained again in any case."""
    accuracy_weeks: int = Field(default=2, ge=0)
    """Weeks in a row in which live accuracy falls short of validation; 0 to leave accuracy out."""
    on_drift: bool = True
    """Whether a drifted week (see drift_rate) since the training is a cause."""


class PooledSettings(BaseModel):
    """The models over all regions that serve where neither champion nor previous champion can."""

    model_config = ConfigDict(extra="forbid")

    rows: int = Field(default=12_000, ge=0)
    """Training rows of each format and mover, drawn from all regions alike; 0 for no pooled models."""
    every_weeks: int = Field(default=4, ge=1)
    """Weeks between their trainings; a region that joins is a cause of its own."""


class DataSettings(BaseModel):
    """When a new version of a region's data is approved without a person; see `transforms.records.data_checks.Limits` for the first five."""

    model_config = ConfigDict(extra="forbid")

    max_quarantined: float = Field(default=_LIMITS.max_quarantined, ge=0, le=1)
    volume_ratio: float = Field(default=_LIMITS.volume_ratio, gt=1)
    min_stores: float = Field(default=_LIMITS.min_stores, ge=0, le=1)
    max_jumps: float = Field(default=_LIMITS.max_jumps, ge=0, le=1)
    max_rewritten: float = Field(default=_LIMITS.max_rewritten, ge=0, le=1)
    max_forecast_move: float = Field(default=0.25, gt=0)
    """Sum of absolute changes of the forecasts over their sum, with the same champions on the old and the new data."""
    retrain_above: float = Field(default=0.01, ge=0, le=1)
    """Share of rewritten deliveries from which the new data have to pass a training check."""
    max_training_loss: float = Field(default=1.25, gt=1)
    """Held-back error on the new data over that on the old."""


_CENTURY = 5200
"""Weeks that are for good."""


class MaintenanceSettings(BaseModel):
    """What `shelfcast maintain` and the maintenance schedule keep."""

    model_config = ConfigDict(extra="forbid")

    keep_days: int = Field(default=35, ge=1)
    """Days for which every version of a table stays readable, whether anything names it or not: for readers, backups and --as-of."""
    keep_weeks: int | None = Field(default=None, ge=5)
    """Weeks for which every model stays with its artifacts and its data, so that it is trained again to the last bit; None for good. Models that
    serve, are on trial or that a person decided on, and the latest data, stay whatever their age; so does the record of all others."""
    report_weeks: int = Field(default=26, ge=5)
    """Weeks for which reports are kept, and longer the newest of each kind."""
    merge_from: int = Field(default=30, ge=2)
    """Small files of a table in a region from which they are merged."""
    run_log_days: int = Field(default=90, ge=1)
    """Days for which the log of a run that has ended is kept; runs and what they wrote stay on record."""

    @property
    def rules(self) -> Rules:
        """What `transforms.records.upkeep` goes by."""
        past = timedelta(weeks=self.keep_weeks if self.keep_weeks is not None else _CENTURY)
        return Rules(timedelta(days=self.keep_days), past, timedelta(weeks=self.report_weeks), self.merge_from)


_NO_TARGET, _NO_LIMIT = 10.0, 1.0
"""A target MAPE, and a share by which a metric may be worse than the champion's, from which a gate lets everything pass."""


class Project(BaseModel):
    """Contents of `shelfcast.yaml`."""

    model_config = ConfigDict(extra="forbid")

    profile: str = ""
    """Profile that the lake belongs to, of those in shelfcast.profiles.yaml: it is opened as that one alone, so that nobody goes past its rules."""
    provider: str
    """Built-in provider name, or the path of a provider YAML relative to the lake root."""
    horizons: int = Field(default=TrainingSpec.horizons, ge=1, le=FURTHEST)
    """Weeks ahead that are forecast."""
    train_weeks: int = Field(default=TrainingSpec.weeks, ge=26)
    """Weeks of history that the members are trained on."""
    seed: int = TrainingSpec.seed
    members: tuple[str, ...] = TrainingSpec.members
    """Algorithms of each ensemble, of those in `models.ensemble.ensemble.available_members`."""
    settings: Settings = Settings()
    """Hyperparameters that differ from the defaults in `models.members.settings`; written by `shelfcast tune`."""
    clusters: Clusters | None = TrainingSpec.clusters
    """Split of each format's stores into segments of their own, like {by: income, bins: 2}; see `transforms.clusters`."""
    sold_out: SoldOutWeeks = TrainingSpec.sold_out
    """Demand that models learn of weeks that sold out: what was shipped, or an estimate of what it would have been, for companies whose
    leftovers come back; see `transforms.panel.unconstrained_demand`."""
    gate: GateSettings = GateSettings()
    promotion: Literal["automatic", "manual"] = "automatic"
    """Whether a model that passed validation becomes champion by itself, or waits for `shelfcast models approve`."""
    retrain: RetrainSettings = RetrainSettings()
    pooled: PooledSettings = PooledSettings()
    forecast_seconds: float = Field(default=120, gt=0)
    """Time that a model gets for one segment's forecasts before the next step of the failover ladder serves."""
    data: DataSettings = DataSettings()
    snapshots: Literal["as_published", "backdated"] = "as_published"
    """Whether demographics and price lists are unknown before their day of publication, or the first ones are taken back in time."""
    history: Literal["as_known", "as_corrected"] = "as_known"
    """Data that a backfill sees: as they were approved when its origin was the last week, or with every later correction."""
    explain_share: float = Field(default=0.1, ge=0, le=1)
    """Share of each origin's forecasts, those with the largest expected demand, whose contributions are kept in gold/contributions."""
    drift_rate: float = Field(default=0.02, gt=0, lt=1)
    """Expected share of false ones among the columns that are called drifted; a week counts as drifted when any of its columns is."""
    maintenance: MaintenanceSettings = MaintenanceSettings()
    alerts: tuple[AlertRule, ...] = ()
    """Who is told of what needs a person, and who gets a weekly summary; see `orchestration.alerts.rules`."""
    expected: Expected = Expected()
    """From when on forecasts and files count as missed, and drift as dear."""

    _distinct_rules = field_validator("alerts")(distinct)

    @model_validator(mode="before")
    @classmethod
    def _without_retired(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Every project file holds every setting: those that are gone may stand in older ones. Of one that never was it is told what was meant."""
        kept = {name: value for name, value in values.items() if name not in _RETIRED}
        if unknown := [name for name in kept if name not in cls.model_fields]:
            raise RuleBroken(f"there is no such setting{nearest(str(unknown[0]), cls.model_fields)}", unknown[0])
        return kept

    @field_validator("members")
    @classmethod
    def _known_members(cls, members: tuple[str, ...]) -> tuple[str, ...]:
        available = available_members()
        unknown = [name for name in members if name not in available]
        if unknown or not members or len(set(members)) < len(members):
            raise ValueError(f"expected one or more of {', '.join(available)}, each once, came {', '.join(members) or 'none'}")
        return members

    @property
    def is_guarded(self) -> bool:
        """Whether no model becomes champion unjudged: a person decides, or the gate's limits are ones that a bad model breaks."""
        limits = (self.gate.max_mape / _NO_TARGET, *(limit / _NO_LIMIT for limit in self.gate.max_regression.model_dump().values()))
        return self.promotion == "manual" or max(limits) < 1

    @property
    def training(self) -> dict[str, Any]:
        """Fields of `models.training.spec.TrainingSpec` that the project decides."""
        return {
            "horizons": self.horizons,
            "weeks": self.train_weeks,
            "seed": self.seed,
            "members": self.members,
            "clusters": self.clusters,
            "settings": self.settings,
            "sold_out": self.sold_out,
        }

    def with_members(self, members: tuple[str, ...]) -> Self:
        """The same project with other members; raise `ConfigurationError` where they are not some of those there are."""
        try:
            return type(self).model_validate({**self.model_dump(), "members": members})
        except ValidationError as error:
            problems = "; ".join(problem["msg"].removeprefix("Value error, ") for problem in error.errors())
            raise ConfigurationError(f"members {','.join(members)}: {problems}.") from error

    @classmethod
    def load(cls, root: Path) -> Self:
        """Read the project file of a lake root; raise `MissingData` or `ConfigurationError` with what to do."""
        path = root / FILE
        if not path.exists():
            raise _no_lake(root)
        return read_model(path, cls, "Project file")

    @classmethod
    def of(cls, lake: Lake) -> Self:
        """The settings that hold for a lake: those of its project file (`written`), and above them those of its profile.

        Raises
        ------
        ConfigurationError
            If the lake belongs to a profile and is opened as another one, or as none.
        """
        written, own = cls.written(lake), profile_of(lake.root)
        if written.profile:
            # Only such a lake takes releases.
            finish(lake)
            written = cls.written(lake)
        if written.profile and written.profile != (own[0] if own else ""):
            opened = f"as {own[0]}, which" if own else "without a profile, which"
            raise ConfigurationError(
                f"{lake.address(FILE)} says that the lake belongs to profile {written.profile!r}; it is opened {opened} would go past that profile's "
                f"rules. Choose it by --profile {written.profile} or {PROFILE}, or mend the line 'profile:' in that file."
            )
        return written if own is None else written.with_profile(*own)

    def with_profile(self, name: str, profile: Profile) -> Self:
        """The same project with what a profile says of it; raise `ConfigurationError` where that is not as it should be."""
        if not profile.project:
            return self
        try:
            return type(self).model_validate(_above(self.model_dump(), profile.project))
        except ValidationError as error:
            problems = "; ".join(_of_profile(name, problem) for problem in error.errors())
            raise ConfigurationError(f"{problems}. Correct it in the profiles file.") from error

    @classmethod
    def written(cls, lake: Lake) -> Self:
        """Read the project file of a lake, wherever it lies; the provider's file that it may name lies below `lake.path()` then."""
        pulled(lake, PROVIDER_FOLDER)
        if not brought(lake, FILE).exists() and not lake.is_local:
            raise _no_lake(lake.root)
        return cls.load(lake.path())

    def keep(self, lake: Lake) -> Path:
        """Write the project file of a lake, wherever it lies: of settings as they are `written`, without those of a profile."""
        path = self.save(lake.path())
        push(lake, path)
        return path

    def save(self, root: Path) -> Path:
        """Write the project file in one step."""
        return write_whole(root / FILE, self.text())

    def text(self) -> str:
        """The project file: every setting, of hyperparameters those that differ from the defaults."""
        return yaml.safe_dump({**self.model_dump(), "settings": self.settings.changed()}, sort_keys=False)


def _above(below: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Values above others, key by key where both are mappings."""
    merged = dict(below)
    for name, value in values.items():
        merged[name] = _above(merged[name], value) if isinstance(value, dict) and isinstance(merged.get(name), dict) else value
    return merged


def _of_profile(name: str, problem: ErrorDetails) -> str:
    cause = problem.get("ctx", {}).get("error")
    at = [str(part) for part in (*problem["loc"], *(cause.at if isinstance(cause, RuleBroken) else ()))]
    model: Any = Project
    for part in at[:-1]:
        model = model.model_fields[part].annotation if hasattr(model, "model_fields") and part in model.model_fields else None
    known = getattr(model, "model_fields", {}) if problem["type"] == "extra_forbidden" else {}
    message = f"there is no such setting{nearest(at[-1], known)}" if known else problem["msg"].removeprefix("Value error, ").removesuffix(".")
    return f"Profile {name}, key project.{'.'.join(at)}: {message}"


def use_lake(root: str | None) -> Environment:
    """`orchestration.settings.use_root` for commands on a lake that exists; raise `MissingData` where there is none.

    A root that was typed wrong would otherwise be audited and found intact, or backed up empty.
    """
    environment = use_root(root)
    lake = Lake(environment.root, environment.storage_options)
    probe(lake)
    if not brought(lake, FILE).exists() and not holds_anything(lake, "lake"):
        raise _no_lake(environment.root)
    return environment


def _no_lake(root: Path | str) -> MissingData:
    return MissingData(
        f"{str(root).rstrip('/')}/{FILE} does not exist: {root} is not a lake root yet. Run 'shelfcast init --provider sample' (or 'make demo') "
        "first. If the lake is elsewhere, name it by --root or SHELFCAST_ROOT."
    )
