"""How forecasts turned out, and how the data differ from the past, as tables. Trains and decides nothing."""
