"""What the fork server imports once, so that its workers start in milliseconds."""

import sklearn.linear_model
import torch

import models.network
import transforms.panel

# A worker is one of several on the machine: more threads than one each would fight for the cores.
torch.set_num_threads(1)

__all__ = ["models", "sklearn", "torch", "transforms"]
