"""Environments beside each other: what their settings are and where from, whether they stand apart, and what goes from one to the other.

Which profiles there are is `orchestration.profiles`, which one a process uses `orchestration.settings`; how models are judged belongs to `lifecycle`.
"""
