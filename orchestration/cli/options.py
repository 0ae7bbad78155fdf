"""Options of the commands by which a person decides: who, and why. Both stay on record for good, so neither may be blank."""

from typing import Annotated

import typer


def _not_blank(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise typer.BadParameter("it is kept for good with the decision and may not be blank.")
    return value


By = Annotated[str, typer.Option("--by", help="Who decides.", callback=_not_blank)]
Why = Annotated[str, typer.Option("--why", help="Why; kept for good beside who and when.", callback=_not_blank)]
Who = Annotated[str | None, typer.Option("--who", help="Who decides (default: the user of this machine).", callback=_not_blank)]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept for good beside who and when.", callback=_not_blank)]
