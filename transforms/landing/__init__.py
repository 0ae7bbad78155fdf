"""Landing: which files were dropped, which slices they touch, and taking those slices into bronze."""

from transforms.landing.files import FACTS, REFERENCES, LandingFile, drop, folder, scan
from transforms.landing.intake import ingest, ingest_reference
from transforms.landing.look import Registration, register
from transforms.landing.record import Told, first_week, ingested, landed, last_week, noticed_files, pending, refused_files, regions

__all__ = [
    "FACTS", "REFERENCES", "LandingFile", "Registration", "Told", "drop", "first_week", "folder", "ingest", "ingest_reference", "ingested", "landed",
    "last_week", "noticed_files", "pending", "refused_files", "regions", "register", "scan",
]  # fmt: skip
