"""The pages that people decide with: overview, orders, scoring, training, monitoring, what if, time machine. They read the lake through
`transforms` and ask `orchestration.service` for what takes models or puts a decision on record; neither Dagster nor models belong here.
"""
