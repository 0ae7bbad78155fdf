"""Definitions that serve whoever operates Shelfcast, beside the stages that data go through: they make no table of the chain and start no run.

What they look at and whom they tell is decided in rooms that do not know Dagster.
"""
