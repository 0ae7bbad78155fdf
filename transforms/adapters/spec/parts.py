"""What all parts of a provider file share: keys that are not known are told, and texts that name something are not empty."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1)]
"""A column of the provider's."""
Text = Annotated[str, Field(min_length=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Strict(BaseModel):
    """A part of a provider file: keys that it does not know are told."""

    model_config = ConfigDict(extra="forbid", frozen=True)
