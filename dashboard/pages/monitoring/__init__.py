"""Monitoring: does anything need me now? For operations."""

from dashboard.pages.monitoring.page import show

__all__ = ["show"]
