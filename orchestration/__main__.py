"""The command `shelfcast`, also as `python -m orchestration`: it can be interrupted from the start, while what it needs is still being imported."""

import sys

_STOPPED = 130


def main() -> None:
    """Run the command line."""
    try:
        from orchestration.cli.app import app  # noqa: PLC0415 - takes a second or more, in which somebody may press Ctrl+C

        app(prog_name="shelfcast")
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        sys.exit(_STOPPED)


if __name__ == "__main__":
    main()
