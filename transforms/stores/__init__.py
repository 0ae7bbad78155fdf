"""Object stores and what they hold: listing, reading, writing. What is kept there is for the callers to say. The only importer of obstore."""

STATE = "shelfcast_state"
"""Name, among the options of a lake in a store, of the folder of this machine for what cannot lie there."""
LANDING = "shelfcast_landing"
"""Name, among the options of a lake, of another root whose landing files it reads and never writes to."""
