"""The process that serves pages and reports at a Unix socket: its application, and who asks. What the pages show is not known here."""
