"""Monitoring: does anything need me now? For operations. What it asks the lake for stands in `dashboard.queries`."""

from dashboard.pages.monitoring.page import show

__all__ = ["show"]
