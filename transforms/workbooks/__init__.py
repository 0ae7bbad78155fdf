"""A process of its own that reads workbooks with two readers each. It is started with little loaded, so it imports nothing else of Shelfcast."""
