"""What a lake in an object store holds beside its tables (landing files, models, reports, the project file), and who changes it at the moment.

Tables and what is read from them are `transforms.lake.tables`'.
"""
