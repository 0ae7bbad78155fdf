"""Provider files for folders that nobody has mapped yet: a draft from what the files look like, and a check of what a provider file makes of them.

Nothing here writes to a lake; how a file is read is `transforms.adapters`' to say.
"""

from transforms.drafting.draft import Draft, draft, provider_name

__all__ = ["Draft", "draft", "provider_name"]
