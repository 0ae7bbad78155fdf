"""One module for each stage, with the small function `definitions` that returns its assets, checks and jobs.

An asset reads, calls one function and publishes; what it computes, and loops over regions and weeks, belong to lifecycle, models or transforms.
"""
