"""Member algorithms of an ensemble: each turns a frame into probabilities over demand 0 and the segment's usual sizes."""
