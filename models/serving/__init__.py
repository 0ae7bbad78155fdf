"""Forecasts and plans from models that are there, and their explanation. Trains nothing."""
