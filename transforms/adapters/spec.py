"""A provider in one YAML: which files it drops, in which format, and how their columns map onto the standard contracts.

What a provider file may say is defined here; turning it into SQL is `transforms.adapters.expressions`' work.
"""

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from transforms.contracts import SOURCES
from transforms.contracts.sources import COMPUTED
from transforms.errors import ConfigurationError

BUILT_IN = Path(__file__).resolve().parent.parent / "providers"

Unit = Literal["fahrenheit", "inch", "mile", "thousand", "percent"]
Cleaning = Literal["key", "lower", "upper", "week", "end_of_day", "digits"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnSpec(_Strict):
    """How one standard column comes about: from a column of the file, or from a constant."""

    column: str | None = None
    """Name of the provider's column."""
    value: str | float | None = None
    """Constant, where the files do not tell."""
    default: str | float | None = None
    """Taken where the provider's value is empty."""
    fraction_of: str | None = None
    """Standard column that `value` is a fraction of (`return_cost: {value: 0.15, fraction_of: price}`)."""
    unit: Unit | None = None
    """Unit of the provider's numbers, converted to the contract's."""
    decimal: Literal[".", ","] = "."
    date_format: str | None = None
    """strptime format of a date or time written as text."""
    timezone: str | None = None
    """Time zone of a local time, converted to UTC."""
    map: dict[str, str] = Field(default_factory=dict)
    """Provider's value -> standard value."""
    clean: Cleaning | None = None
    """key: to a region key; lower, upper: letter case; digits: keep digits only; week: Monday of the date; end_of_day: first instant after it."""
    negate: bool = False
    """Turn the sign, for credits that are written as negative quantities."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.column is None) == (self.value is None):
            raise ValueError("a column needs exactly one of 'column' (the provider's name) and 'value' (a constant)")
        return self


class RowFilter(_Strict):
    """Keep only the rows whose text column starts, or does not start, with a prefix."""

    column: str
    starting_with: str | None = None
    not_starting_with: str | None = None


class FileSpec(_Strict):
    """One kind of file of a source."""

    files: str
    """Pattern relative to the provider's landing folder, like `shipments/*.csv`."""
    format: Literal["csv", "jsonl", "parquet", "xlsx"]
    delimiter: str = ","
    encoding: str = "utf-8"
    sheet: str | None = None
    columns: dict[str, ColumnSpec]
    rows: RowFilter | None = None
    line_id: str | None = None
    """Column that identifies a line: a line that is there twice counts once."""
    duplicates: Literal["refuse", "sum"] = "refuse"
    """What rows with the same key mean: an error, or parts of a sum (invoice lines, days)."""
    counted: list[str] = Field(default_factory=list)
    """Names or patterns of files that count although they say what another file says: deliveries of their own that happen to be alike."""
    net_to_last_delivery: bool = False
    """For returns: move each credit to the week of the latest delivery of that product to that store that the same file knows."""

    @field_validator("columns", mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: {"column": spec} if isinstance(spec, str) else spec for name, spec in value.items()}


class ProviderSpec(_Strict):
    """A data provider."""

    name: str = Field(pattern=r"[a-z][a-z0-9_]{0,62}")
    description: str
    unknown_products: Literal["refuse", "accept"] = "refuse"
    """Whether a delivered product may be missing in the products file; accepted ones get a case pack of 1 and no attributes."""
    regions: dict[str, str] = Field(default_factory=dict)
    """Provider's spelling of a region -> region key, where lower case and underscores are not enough."""
    stations: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """Weather place -> latitude and longitude: stores whose file names no place get the nearest one, with its distance."""
    refuse_above: float = Field(default=0.5, gt=0, le=1)
    """Share of broken rows above which a file is refused whole: it is then more likely another file than a file with faults."""
    sources: dict[str, list[FileSpec]]

    @property
    def additive(self) -> list[str]:
        """Sources whose files hold lines that add up, rather than reports that replace each other."""
        return [source for source, files in self.sources.items() if any(spec.duplicates == "sum" for spec in files)]

    @field_validator("sources")
    @classmethod
    def _known(cls, value: dict[str, list[FileSpec]]) -> dict[str, list[FileSpec]]:
        for source, files in value.items():
            if source not in SOURCES:
                raise ValueError(f"source {source!r} is not a standard source; expected one of {', '.join(SOURCES)}")
            names = set(SOURCES[source].names)
            for spec in files:
                if unknown := sorted(set(spec.columns) - names):
                    raise ValueError(f"source {source!r}: {unknown} are not columns of its contract; expected {', '.join(SOURCES[source].names)}")
                required = {column.name for column in SOURCES[source].columns if column.required} - COMPUTED.get(source, set())
                if absent := sorted(required - set(spec.columns)):
                    raise ValueError(f"source {source!r}: required columns {absent} are not mapped")
        if missing := [source for source in ("stores", "products", "shipments") if source not in value]:
            raise ValueError(f"sources {missing} are missing: without them nothing can be forecast")
        return value


def load_provider(name: str, base: Path | None = None) -> ProviderSpec:
    """Load a built-in provider by name, or one from a YAML file.

    Parameters
    ----------
    name
        Name of a built-in provider, or the path of a YAML file.
    base
        Folder that a relative path starts from.

    Raises
    ------
    ConfigurationError
        If there is no such provider or its file breaks the rules; the message lists what is available and each rule broken.
    """
    path = BUILT_IN / f"{name}.yaml"
    if name.endswith((".yaml", ".yml")):
        path = Path(name) if base is None or Path(name).is_absolute() else base / name
    if not path.exists():
        raise ConfigurationError(
            f"There is no provider {name!r}: expected one of {', '.join(built_in_providers())}, or the path of a provider YAML "
            "(see README, 'Bring your own data')."
        )
    try:
        return ProviderSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"Provider file {path.name} is not YAML: {error}") from error
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise ConfigurationError(f"Provider file {path.name} breaks the rules: {details}.") from error


def built_in_providers() -> list[str]:
    """Names of the providers that come with Shelfcast."""
    return sorted(path.stem for path in BUILT_IN.glob("*.yaml"))
