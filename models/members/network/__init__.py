"""The neural network member: the only package that imports torch, inside the functions that need it.

What it shares with other members stands in `models.members`.
"""

from models.members.network.member import NetworkMember

__all__ = ["NetworkMember"]
