"""Orders: the lines of a plan and what edits of them change, on the page, as files and on paper.

How a file is made or read stands in `transforms.exports`, not here.
"""
