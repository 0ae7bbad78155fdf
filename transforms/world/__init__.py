"""The sample world: a seeded simulation of a company whose true demand is known, written as a messy landing zone. Nothing that
forecasts reads its truth.
"""

from transforms.world.landing import write_landing, write_truth, write_week
from transforms.world.simulation import World, WorldSpec, simulate

__all__ = ["World", "WorldSpec", "simulate", "write_landing", "write_truth", "write_week"]
