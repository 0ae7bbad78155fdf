"""Compare the installed packages of the product with the pins, and with known vulnerabilities as far as that can be done from here.

The pins are what was tested; a package that is not pinned could be any version. Known vulnerabilities need `pip-audit` and its database, neither of
which every place has: what was not done is said, and is no failure.
"""

import importlib.util
import re
import subprocess
import sys
from importlib.metadata import requires, version
from pathlib import Path

from packaging.requirements import Requirement

PINS = Path(__file__).with_name("constraints.txt")
PRODUCT = "shelfcast"


def normal(name: str) -> str:
    """A name as the package index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    """Version of each pinned package."""
    lines = (line.split("#")[0].split(";")[0].strip() for line in PINS.read_text().splitlines())
    return {normal(name): version for name, _, version in (line.partition("==") for line in lines) if version}


def needed() -> set[str]:
    """The packages that the product needs, and those that they need."""
    found, waiting = set[str](), [PRODUCT]
    while waiting:
        name = waiting.pop()
        for text in requires(name) or []:
            requirement = Requirement(text)
            other = normal(requirement.name)
            if other not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                found.add(other)
                waiting.append(other)
    return found


def main() -> int:
    """Print what differs; return how a process should end."""
    wanted = pins()
    # What follows a plus tells who built it.
    installed = {name: version(name).partition("+")[0] for name in needed()}
    loose = sorted(set(installed) - set(wanted))
    other = sorted(name for name in set(installed) & set(wanted) if installed[name] != wanted[name])
    for name in loose:
        print(f"{name} {installed[name]} is installed and not pinned in {PINS.name}: pin it.")
    for name in other:
        print(f"{name} {installed[name]} is installed, {wanted[name]} is pinned: install it anew with the constraints.")
    print(f"{len(installed)} packages, {len(loose)} without a pin, {len(other)} of another version.")
    if importlib.util.find_spec("pip_audit") is None:
        print("Known vulnerabilities were not looked for: pip-audit is not installed.")
        return 1 if loose or other else 0
    found = subprocess.run([sys.executable, "-m", "pip_audit", "--requirement", str(PINS), "--no-deps", "--disable-pip"], check=False)  # noqa: S603
    return 1 if loose or other or found.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
