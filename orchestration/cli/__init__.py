"""The command line: arguments, the session around a command, and what it says when it fails. What is printed belongs to views."""
