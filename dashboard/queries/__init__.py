"""What pages ask the lake: rows out of gold tables, cached by the tables' versions. Nothing here knows how a page looks."""
