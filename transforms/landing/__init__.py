"""Landing: which files were dropped, which slices they touch, and taking those slices into bronze. What is made
of bronze belongs to dbt_project.
"""

from transforms.landing.conditioned import complete_weeks, conditioning, conditioning_references, finish, out_of_step, reopen, under_way
from transforms.landing.conservation import Conservation, conservation
from transforms.landing.files import FACTS, REFERENCES, Dropped, LandingFile, drop, folder, refuse_borrowed, scan
from transforms.landing.ingest import ingest, ingest_reference
from transforms.landing.ledger import (
    FileNotice,
    first_landed_week,
    first_weeks,
    landed,
    last_week,
    named_region,
    noticed_files,
    pending,
    pending_references,
    refused_files,
    regions,
    unneeded_copies,
)
from transforms.landing.odd_files import Unfound, unfound, unfound_told
from transforms.landing.register import register
from transforms.landing.registrar import Registration

__all__ = [
    "FACTS", "REFERENCES", "Conservation", "Dropped", "FileNotice", "LandingFile", "Registration", "Unfound", "complete_weeks",
    "conditioning", "conditioning_references", "conservation", "drop", "finish", "first_landed_week", "first_weeks", "folder", "ingest",
    "ingest_reference", "landed", "last_week", "named_region", "noticed_files", "out_of_step", "pending", "pending_references",
    "refuse_borrowed", "refused_files", "regions",
    "register", "reopen", "scan", "under_way", "unfound", "unfound_told", "unneeded_copies",
]  # fmt: skip
