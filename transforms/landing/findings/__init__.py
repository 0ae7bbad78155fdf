"""What one file means beside the record and the other files: why it is refused, waits for a person, or is told of. Its own rows are read in
`transforms.adapters`.
"""

from transforms.landing.findings.notices import contradicted, noticed
from transforms.landing.findings.refusals import held, refuse_conflicts, refuse_emptied, refuse_unmapped, stays

__all__ = ["contradicted", "held", "noticed", "refuse_conflicts", "refuse_emptied", "refuse_unmapped", "stays"]
