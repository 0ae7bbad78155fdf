"""Experiments and notebooks: tracking, tuning, promotion of a notebook's member. Knows nothing of Dagster."""
