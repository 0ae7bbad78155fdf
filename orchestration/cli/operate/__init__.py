"""Commands for whoever operates Shelfcast: alerts, environments, and recovery from accidents. What is printed belongs to views."""
