"""The public orange-juice benchmark: sales with prices, deals and ads known ahead, in multiples of a series' usual level. Nothing of it serves."""
