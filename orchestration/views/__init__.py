"""What commands print, as tables for a terminal. Runs nothing."""
