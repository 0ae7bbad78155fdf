"""Two runs that end at once write the same page."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
_WRITER = """
import sys
from orchestration.reports.report import write_html
from transforms.lake.tables import Lake
for _ in range(2000):
    write_html(sys.argv[2] * 2000, Lake(sys.argv[1]), "board", "index.html")
"""


def test_a_page_that_two_processes_write_is_one_of_theirs_and_neither_fails(tmp_path: Path) -> None:
    """Both had one draft: the second to put it in its place found it gone, and its run failed."""
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), word], cwd=CHECKOUT, stderr=subprocess.PIPE) for word in "ab"]
    failed = [writer.communicate()[1].decode() for writer in writers if writer.wait()]
    assert failed == []
    assert (tmp_path / "reports/board/index.html").read_text() in {"a" * 2000, "b" * 2000}
    assert [path.name for path in (tmp_path / "reports/board").iterdir()] == ["index.html"]
