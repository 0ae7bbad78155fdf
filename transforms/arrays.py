"""Types of arrays, by what they hold. Shapes stand in the docstrings of what gives and takes them; kinds used once are written out there."""

import numpy as np
import numpy.typing as npt

Floats32 = npt.NDArray[np.float32]
Floats64 = npt.NDArray[np.float64]
Ints64 = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
"""Places in a list of levels, or in another array."""
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]
