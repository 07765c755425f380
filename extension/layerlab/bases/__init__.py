"""Base images of the course: where they come from, and stand-ins where no registry answers.

for report in bases.ensure(engine, bases.read_catalogue(path), say=print):
    print(report.name, report.source, report.note)
"""

from __future__ import annotations

from layerlab.bases.catalogue import Base, CatalogueError
from layerlab.bases.catalogue import find as find_catalogue
from layerlab.bases.catalogue import load as read_catalogue
from layerlab.bases.provide import BaseReport, ensure, fill, stand_ins

__all__ = [
    "Base",
    "BaseReport",
    "CatalogueError",
    "ensure",
    "fill",
    "find_catalogue",
    "read_catalogue",
    "stand_ins",
]
