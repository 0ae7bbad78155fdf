"""Characters that a person does not see and that change what is seen around them."""

import re

MOVING = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, ends of lines, and marks of the direction of writing: behind one, 'fdp.exe' reads as 'exe.pdf'."""
