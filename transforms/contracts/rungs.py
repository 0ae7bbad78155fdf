"""The steps of the failover ladder, from the top: one ordered list, which tables, training, scoring and the words on each forecast follow.

A new step is a line here and the place that finds its version, `orchestration.lifecycle.serving.steps_at`. Which step serves when is decided in
`models.evaluation.ladder` and `models.serving.failover`; the states of a version (champion, retired, ...) are `life_cycle.DECISIONS`.
"""

CHAMPION, PREVIOUS, POOLED, BASELINE = "champion", "previous", "pooled", "baseline"
RUNGS = {CHAMPION: "champion", PREVIOUS: "previous champion", POOLED: "pooled model", BASELINE: "historical average"}
"""Each step with its name in words, in the order that holds without evidence."""
CHALLENGER = "challenger"
"""Rung that an A/B test puts before the ladder."""
SERVED_BY = (*RUNGS, CHALLENGER)
"""All that can have made a forecast."""
