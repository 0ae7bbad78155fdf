"""The neural network member: the only package that imports torch, inside the functions that need it."""

from models.members.network.member import NetworkMember

__all__ = ["NetworkMember"]
