"""`python -m orchestration.runtime.dbt_process build ...`: dbt's command line with the manifest of when the project's files changed last.

dbt parses a project anew whenever `--vars` differ from those of the time before, and ours name the slices of a run. What it parses is the same with
all of them (a test parses both ways), so a run reuses it, as `dbtRunner` is made for.
"""

import sys
from pathlib import Path

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from orchestration.runtime.dbt_files import place_of_parsed
from orchestration.settings import DBT_PROJECT


def parsed(project: Path) -> Manifest | None:
    """The manifest of the project's present files; None where it is not kept, and dbt then parses them itself."""
    place = place_of_parsed(project)
    if not place.exists():
        return None
    manifest = Manifest.from_msgpack(place.read_bytes())
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]
    return manifest


def main(arguments: list[str]) -> int:
    """Run dbt and return what its own command would exit with."""
    result = dbtRunner(parsed(DBT_PROJECT)).invoke(arguments)
    if result.exception is not None:
        sys.stderr.write(f"{result.exception}\n")
        return 2
    return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
