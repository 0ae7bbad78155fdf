"""`python -m orchestration` is the command line `shelfcast`."""

from orchestration.cli.app import app

if __name__ == "__main__":
    app(prog_name="shelfcast")
