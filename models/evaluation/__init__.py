"""How good forecasts are: metrics, comparisons, the gate, the order of the ladder, A/B tests, the value of plans. Serves and trains nothing."""
