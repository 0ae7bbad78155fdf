"""The project file of a lake root, `shelfcast.yaml`: which provider feeds it and what is decided about its models."""

from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from transforms.errors import ConfigurationError, MissingData

FILE = "shelfcast.yaml"


class GateSettings(BaseModel):
    """When a trained model may become champion."""

    model_config = ConfigDict(extra="forbid")

    max_mape: float = Field(default=0.45, gt=0)
    """Largest MAPE on the held-back weeks, as a fraction."""
    min_improvement: float = Field(default=0.1, ge=0, lt=1)
    """Share by which MAPE must lie below the historical average's."""


class Project(BaseModel):
    """Contents of `shelfcast.yaml`."""

    model_config = ConfigDict(extra="forbid")

    provider: str
    """Built-in provider name, or the path of a provider YAML relative to the lake root."""
    horizons: int = Field(default=4, ge=1, le=13)
    """Weeks ahead that are forecast."""
    train_weeks: int = Field(default=104, ge=26)
    """Weeks of history that the members are trained on."""
    seed: int = 7
    gate: GateSettings = GateSettings()
    drift_share: float = Field(default=0.3, gt=0, le=1)
    """Share of drifted columns from which a week counts as drifted."""

    @classmethod
    def load(cls, root: Path) -> Self:
        """Read the project file of a lake root; raise `MissingData` or `ConfigurationError` with what to do."""
        path = root / FILE
        if not path.exists():
            raise MissingData(f"{path} does not exist: {root} is not a lake root yet. Run 'shelfcast init --provider sample' (or 'make demo') first.")
        try:
            return cls.model_validate(yaml.safe_load(path.read_text()) or {})
        except (ValidationError, yaml.YAMLError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}") from error

    def save(self, root: Path) -> Path:
        """Write the project file in one step."""
        root.mkdir(parents=True, exist_ok=True)
        target, draft = root / FILE, root / f".{FILE}.tmp"
        draft.write_text(yaml.safe_dump(self.model_dump(), sort_keys=False))
        return draft.replace(target)
