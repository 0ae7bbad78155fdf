"""What torch's optimizers import at their first use, 1.2 s in every worker that trains: the fork server imports it once. Nobody else needs to."""

import torch._dynamo

__all__ = ["torch"]
