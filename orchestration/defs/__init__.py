"""One module for each stage from landing to monitoring, for each report beside them, and for what runs by itself.

An asset reads, calls one function and publishes; what it computes belongs to lifecycle, models or transforms.
"""
