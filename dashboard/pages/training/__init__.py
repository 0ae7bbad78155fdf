"""Training: which models got better or worse, and why? For data scientists. Queries are not made here, nor is anything decided."""

from dashboard.pages.training.page import show

__all__ = ["show"]
