"""Measurements, as ratios in one run against a named peer or the bare computation. Run by `make bench`, never as tests."""
