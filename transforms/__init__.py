"""Pure data: contracts, the lake, source adapters, features, the calendar and the sample world. No Dagster, no learning."""
