"""Orders: what goes on this truck, and where must I look? For planners. What it asks the lake for stands in `dashboard.queries`."""

from dashboard.pages.orders.page import show

__all__ = ["show"]
