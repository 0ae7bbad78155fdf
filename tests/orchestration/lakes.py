"""Lakes that tests hand to assets, checks and schedules by their root, and copies of the small lake."""

import shutil
from pathlib import Path

import pytest

from orchestration.runtime.resources import LakeResource
from orchestration.settings import settings, use_root
from transforms.calendar import Region, Week
from transforms.lake.tables import Lake
from transforms.landing import complete_weeks


def copied(small_lake: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A copy of the small lake, which is the environment's until the end of the test."""
    monkeypatch.setenv("SHELFCAST_ROOT", "")
    root = shutil.copytree(small_lake, folder / "lake")
    use_root(str(root))
    return Lake(str(root))


def newest_complete(lake: Lake, region: str = "north_texas") -> Week:
    """The newest week of a region that is complete."""
    return complete_weeks(lake)[Region(region)][-1]


class LakeAt(LakeResource):
    """The lake at a root that the environment does not name."""

    root: str

    def open(self) -> Lake:
        """Return the lake."""
        return Lake(self.root, settings().storage_options)
