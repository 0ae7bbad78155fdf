"""Drift scores, what drift costs in accuracy, and the page of it. Reads no table."""
