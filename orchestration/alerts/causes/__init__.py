"""The causes of alerts, each derived anew from what stands on record: lake tables and the register of landing, never from memory.

A function returns the alerts that are open now; that something has ended is that it is no longer among them. Who is told is not known here.
"""
