"""Canonical JSON and its hash: the same content gives the same bytes on any machine."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel


def as_data(model: BaseModel) -> dict[str, Any]:
    """A model as plain JSON data, by the names that files and amendments use; what is not said is left out."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def canonical(data: Any) -> bytes:
    """JSON with sorted keys, without spaces, in UTF-8. Raises ValueError on NaN and infinities, TypeError on non-JSON."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def content_hash(data: Any) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(data)).hexdigest()
