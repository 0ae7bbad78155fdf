"""Commands for whoever operates Shelfcast: who is told, how environments stand apart, what is left after an accident. What is printed belongs to views."""
