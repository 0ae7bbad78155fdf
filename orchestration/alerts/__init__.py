"""What needs a person, from what stands on record, and who is told of it: one message for one cause, by rules of the project file.

Dagster is not known here: a sensor, a command and tests look alike. What pages show of it they read from `gold/alerts`.
"""
