"""An invoice as a page of PDF."""

from __future__ import annotations

import re
from datetime import UTC, datetime


def pdf_of(company: str, number: str, at: datetime) -> bytes:
    """A page of PDF, valid enough for a viewer that is not strict; whose it is stands on it."""
    told = re.sub(r"([\\()])", r"\\\1", f"{company}: Invoice {number}")
    text = f"BT /F1 18 Tf 72 720 Td ({told}) Tj ET".encode("latin-1", "replace")
    head = f"%PDF-1.4\n% made {at.astimezone(UTC):%Y-%m-%d}\n".encode()
    return (
        head
        + b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
        + b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
        + b"/Resources<</Font<</F1 5 0 R>>>>>>endobj "
        + b"4 0 obj<</Length %d>>stream\n" % len(text)
        + text
        + b"\nendstream endobj 5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
        + b"trailer<</Root 1 0 R>>\n%%EOF\n"
    )
