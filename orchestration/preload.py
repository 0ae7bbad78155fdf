"""What the fork server imports once, so that its workers start in milliseconds."""

import sklearn.linear_model

import models.network.module
import models.network.optimizers
import models.training
import transforms.panel

__all__ = ["models", "sklearn", "transforms"]
