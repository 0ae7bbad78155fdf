"""The errors that Shelfcast raises on purpose.

Each message says what was expected, what came, where, and what to do next. Callers at a boundary (command line, asset, sensor) catch
`ShelfcastError` and show the message; anything else is a defect and keeps its traceback.
"""


class ShelfcastError(Exception):
    """Base of every error that a user can act on."""


class ContractViolation(ShelfcastError):
    """Data does not follow its contract: a missing column, a wrong type, a value out of range, an unknown key."""


class LandingFileRefused(ContractViolation):
    """A dropped file cannot be taken in as a whole; the message names file, row and column."""


class ConfigurationError(ShelfcastError):
    """A provider file, a setting or a command-line value is wrong."""


class InvalidKey(ShelfcastError):
    """A region, week or slice key is not of the one allowed form."""


class MissingData(ShelfcastError):
    """A step was asked for before the data that it needs exist; the message names the step to run first."""


class ArtifactError(ShelfcastError):
    """A model artifact is missing, corrupt or of another feature contract."""


class DataNotApproved(ShelfcastError):
    """Data that training or scoring needs have not been approved; the message says what speaks against them and how to release them."""


class ProcessKilled(ShelfcastError):
    """A process that does part of a command's work was killed from outside."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The process that {what} was killed, most often because memory ran out. Run the command again: what was finished stays. Where memory is "
            "short, SHELFCAST_WORKERS=1 takes the least."
        )


class AuditFailed(ShelfcastError):
    """The record of data and models is not as it was written, or a backup is damaged; the message says where."""
