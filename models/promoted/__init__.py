"""Members that come from notebooks: `shelfcast promote-notebook` writes a module for each, and a project's `members` may name it.

Members that are written by hand belong to `models.members`.
"""

import pkgutil
from importlib import import_module

from models.members.base import Member


def promoted() -> dict[str, type[Member]]:
    """The member of each module, by its name, which is the module's too."""
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {member.name: member for module in modules for member in vars(module).values() if _is_member_of(module.__name__, member)}


def _is_member_of(module: str, value: object) -> bool:
    return isinstance(value, type) and value.__module__ == module and getattr(value, "name", None) == module.rpartition(".")[2]
