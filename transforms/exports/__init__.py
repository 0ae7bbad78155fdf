"""What leaves the lake: order plans, workbooks, slices of tables, obfuscated samples, and how other programs open tables.

Of these the edited workbook of a plan alone comes back.
"""
