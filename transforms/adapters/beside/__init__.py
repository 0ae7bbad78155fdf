"""Files that stand beside a landing file and that it is read with: calendars of its weeks, and tables that its rows are joined with.

How the landing file's own records are read is for `formats` to know.
"""
