"""The code location: everything that Dagster shows and runs, merged from the stages; what a stage holds stands in its module of `defs`.

Importing it only looks: no variable is set and no file of a lake written; the dbt manifest alone is parsed again where the dbt project's files have
changed. A process gets its quiet environment from the command that it works for (`shelfcast ui` hands it on to webserver, daemon and code server),
and, where Dagster was started in another way, from the lake resource as soon as a step asks for it.
"""

import warnings

import dagster as dg

from orchestration.runtime.resources import LakeResource
from orchestration.runtime.switches import switched

# Accepted in DECISIONS.md: partition mappings, column lineage and other features that may still change.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", category=dg.PreviewWarning)
    warnings.simplefilter("ignore", category=dg.BetaWarning)
    from orchestration.defs import (
        ab_tests,
        audit,
        automation,
        conditioning,
        datasets,
        experiments,
        landing,
        maintenance,
        monitoring,
        plans,
        scoring,
        training,
    )

    STAGES = (landing, conditioning, datasets, training, scoring, plans, monitoring, ab_tests, experiments, audit, maintenance, automation)


def all_definitions() -> dg.Definitions:
    """Everything as it is defined, whatever a profile starts by itself."""
    return dg.Definitions.merge(
        # One process for a run: imports are paid once, and regions are spread over processes inside the training step. Steps hand each other nothing
        # but the lake; Dagster's default would pickle into a folder that a run's configuration names.
        dg.Definitions(resources={"lake": LakeResource(), "io_manager": dg.mem_io_manager}, executor=dg.in_process_executor),
        *(stage.definitions() for stage in STAGES),
    )


with warnings.catch_warnings():
    warnings.simplefilter("ignore", category=dg.PreviewWarning)
    warnings.simplefilter("ignore", category=dg.BetaWarning)
    defs = switched(all_definitions())
