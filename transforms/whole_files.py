"""Files that are written whole or not at all: a reader, and who comes after a kill, finds what was there before or what is there now."""

import os
from pathlib import Path


def write_whole(path: Path, content: str | bytes, durable: bool = False) -> Path:
    """Write a file in one step, its folder too, and return it.

    The draft is the process's own: two that write the same file at once do not take it from each other, and the later one stands.

    Parameters
    ----------
    durable
        Wait until the content is on the disk: what follows counts on it after a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    with draft.open("wb") as out:
        out.write(content.encode() if isinstance(content, str) else content)
        if durable:
            out.flush()
            os.fsync(out.fileno())
    return draft.replace(path)
