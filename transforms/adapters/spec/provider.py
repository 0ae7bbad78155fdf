"""A provider: its sources with their files, and what holds for all of them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from transforms.adapters.spec.files import FileSpec
from transforms.adapters.spec.parts import Strict
from transforms.adapters.spec.paths import Store
from transforms.contracts import SOURCES
from transforms.errors import ConfigurationError
from transforms.yaml_files import RuleBroken, read_model

_Latitude = Annotated[float, Field(ge=-90, le=90)]
_Longitude = Annotated[float, Field(ge=-180, le=180)]
BUILT_IN = Path(__file__).resolve().parents[2] / "providers"
_MOST_SHOWN = 200


class ProviderSpec(Strict):
    """A data provider."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """A plain key: it is a folder's name below landing."""
    description: str
    unknown_products: Literal["refuse", "accept"] = "refuse"
    """Whether a delivered product may be missing in the products file; accepted ones get a case pack of 1 and no attributes."""
    regions: dict[str, str] = Field(default_factory=dict)
    """Provider's spelling of a region -> region key, where lower case and underscores are not enough."""
    stations: dict[str, tuple[_Latitude, _Longitude]] = Field(default_factory=dict)
    """Weather place -> latitude and longitude: stores whose file names no place get the nearest one, with its distance."""
    refuse_above: float = Field(default=0.5, gt=0, le=1)
    """Share of broken rows above which a file is refused whole: it is then more likely another file than a file with faults."""
    store: Store | None = None
    """Bucket, with or without a folder (`s3://bucket/folder`), whose objects are copied into landing where the `files` of a source meet them."""
    sources: dict[str, list[FileSpec]]

    def store_of(self, spec: FileSpec) -> str | None:
        """Where the files of a mapping are copied from; None where they are dropped, or a query's."""
        return None if spec.query is not None else spec.store or self.store

    def is_fetched(self, spec: FileSpec) -> bool:
        """True where files of a mapping come by themselves."""
        return spec.query is not None or self.store_of(spec) is not None

    @property
    def additive(self) -> list[str]:
        """Sources whose files hold lines that add up, rather than reports that replace each other."""
        return [source for source, files in self.sources.items() if any(spec.duplicates == "sum" for spec in files)]

    @field_validator("sources")
    @classmethod
    def _known(cls, value: dict[str, list[FileSpec]]) -> dict[str, list[FileSpec]]:
        for source, files in value.items():
            if source not in SOURCES:
                raise RuleBroken(f"source {source!r} is not a standard source; expected one of {', '.join(SOURCES)}", source)
            for number, spec in enumerate(files):
                _check_columns(source, spec, source, number)
        snapshots = [(source, spec.files) for source, files in value.items() for spec in files if spec.query is not None]
        for source, name in snapshots:
            if [other for _, other in snapshots].count(name) > 1:
                raise RuleBroken(f"two queries are snapshotted into {name!r}; give each a name of its own under 'files'", source)
        if missing := [source for source, contract in SOURCES.items() if contract.needed and source not in value]:
            raise ValueError(f"sources {missing} are missing: without them nothing can be forecast")
        return value


def _check_columns(source: str, spec: FileSpec, *at: str | int) -> None:
    """Raise `RuleBroken` where a file's columns are not those of its source's contract."""
    contract = SOURCES[source]
    if unknown := sorted(set(spec.columns) - set(contract.names)):
        raise RuleBroken(
            f"source {source!r}: {unknown} are not columns of its contract; expected {', '.join(contract.names)}", *at, "columns", unknown[0]
        )
    required = {column.name for column in contract.columns if column.required} - contract.completed
    if absent := sorted(required - set(spec.columns)):
        raise RuleBroken(f"source {source!r}: required columns {absent} are not mapped", *at, "columns")
    if spec.net_to_last_delivery and source != "returns":
        raise RuleBroken(f"expected 'net_to_last_delivery' for returns alone, came for {source}", *at, "net_to_last_delivery")
    if (cases := [name for name, column in spec.columns.items() if column.unit == "case"]) and not (contract.sliced and "product_id" in spec.columns):
        raise RuleBroken(
            f"expected 'unit: case' for rows of a product, whose case pack is known, came for {source}", *at, "columns", cases[0], "unit"
        )
    numbers = {name for name, column in spec.columns.items() if contract[name].kind in {"integer", "number"} and column.fraction_of is None}
    for name, column in spec.columns.items():
        try:
            column.check(contract[name], numbers - {name})
        except RuleBroken as error:
            raise RuleBroken(str(error), *at, "columns", name, *error.at) from error


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
    is_file = name.endswith((".yaml", ".yml"))
    if not is_file and name not in built_in_providers():
        raise _no_provider(name)
    path = BUILT_IN / f"{name}.yaml"
    if is_file:
        path = Path(name) if base is None or Path(name).is_absolute() else base / name
    try:
        there = path.exists()
    except OSError as error:
        raise ConfigurationError(f"Provider file {_short(name)} cannot be looked for: {error.strerror}. Name the path of a provider YAML.") from error
    if not there:
        raise _no_provider(name)
    return read_model(path, ProviderSpec, "Provider file")


def _no_provider(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"There is no provider {_short(name)}: expected one of {', '.join(built_in_providers())}, or the path of a provider YAML "
        "(see README, 'Bring your own data')."
    )


def _short(name: str) -> str:
    return repr(name if len(name) <= _MOST_SHOWN else f"{name[:_MOST_SHOWN]}...")


def built_in_providers() -> list[str]:
    """Names of the providers that come with Shelfcast."""
    return sorted(path.stem for path in BUILT_IN.glob("*.yaml"))
