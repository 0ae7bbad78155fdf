"""Rows of tables as Python has them, and the segments that they are about. What columns a row has is its contract's to say."""

from typing import Any

Row = dict[str, Any]
"""A row by column name."""
Segment = tuple[str, str]
"""Format and mover."""
RegionSegment = tuple[str, str, str]
"""Region, format and mover."""
