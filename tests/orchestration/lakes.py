"""A lake that tests hand to assets, checks and schedules by its root."""

from orchestration.runtime.resources import LakeResource
from orchestration.settings import settings
from transforms.lake.tables import Lake


class LakeAt(LakeResource):
    """The lake at a root that the environment does not name."""

    root: str

    def open(self) -> Lake:
        """Return the lake."""
        return Lake(self.root, settings().storage_options)
