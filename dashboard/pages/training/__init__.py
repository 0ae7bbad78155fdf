"""Training: which models got better or worse, and why? For data scientists."""

from dashboard.pages.training.page import show

__all__ = ["show"]
