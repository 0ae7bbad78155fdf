"""What is told to those who watch from outside: measurements for Prometheus, and lineage as OpenLineage events. Dagster is not known here.

`forecasting` and `operations` read the lake into `families`, which `exposition` gives Prometheus' form; `told` holds what a run tells of its lineage,
`events` makes events of it with the names of `naming`, `outbox` keeps them until they are taken, and `receiver` sends them.
"""
