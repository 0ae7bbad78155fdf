"""Automation of the chain: its jobs, and the sensors and the schedule that request them, each with why.

What a job does stands with its assets, and what is due in `orchestration.runtime.due`.
"""
