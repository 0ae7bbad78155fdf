"""Provider files for folders that nobody has mapped yet: a draft from what the files look like, and a check of what a provider file makes of them.

Nothing here writes to a lake; how a file is read is `transforms.adapters`' to say.
"""

from transforms.drafting.check import Check, FileOutcome, check
from transforms.drafting.draft import Draft, draft, provider_name

__all__ = ["Check", "Draft", "FileOutcome", "check", "draft", "provider_name"]
