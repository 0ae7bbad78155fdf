"""Files that stand beside a landing file and that it is read with: calendars of its weeks, and tables that its rows are joined with."""
