"""What was fetched from object stores, and as which files it stands in landing: a record beside the landing folder, where no pattern finds it.

It saves downloads and tells what vanished. Nothing depends on it: without it all objects are read again and compared with the files that are there.
"""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from transforms.adapters import ProviderSpec
from transforms.lake.tables import Lake


class Remembered(BaseModel):
    """One object as it was fetched, and the file that it became."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: str
    key: str
    etag: str | None
    size: int
    modified: datetime
    sha256: str
    written: int
    """Time of change of the file, in nanoseconds: with its size it tells whether somebody changed it since."""


class Record(BaseModel):
    """Everything that was fetched from object stores for one provider, by its name in landing."""

    model_config = ConfigDict(extra="forbid")

    objects: dict[str, Remembered] = Field(default_factory=dict)

    @classmethod
    def load(cls, lake: Lake, provider: ProviderSpec) -> "Record | None":
        """The record as it stands; None where there is none, or it cannot be read."""
        try:
            return cls.model_validate_json(_path(lake, provider).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def save(self, lake: Lake, provider: ProviderSpec) -> None:
        """Write the record in one step."""
        path = _path(lake, provider)
        draft = path.with_name(f"{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(self.model_dump_json())
        draft.replace(path)


def _path(lake: Lake, provider: ProviderSpec) -> Path:
    return lake.path("landing", f".fetched-{provider.name}.json")
