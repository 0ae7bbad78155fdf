"""Member algorithms of an ensemble: each turns a frame into probabilities over demand 0 and the segment's usual sizes.

Combining and calibrating members belongs to `models.ensemble`, members that came from notebooks to `models.promoted`.
"""
