"""Imports of the fork server, done once, so that its workers start in milliseconds."""

import sklearn.linear_model

import models.members.network.module
import models.members.network.optimizers
import models.training.train
import transforms.panel.panel

__all__ = ["models", "sklearn", "transforms"]
