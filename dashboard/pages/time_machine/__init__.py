"""Time machine: what did we know then? For whoever has to answer for a week. Today's knowledge is not mixed into it: it stands apart."""

from dashboard.pages.time_machine.page import show

__all__ = ["show"]
