"""A model as JSON in bytes, without a text in between."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter


def as_bytes(
    model: BaseModel, *, by_alias: bool | None = None, exclude_defaults: bool = False, exclude_none: bool = False
) -> bytes:
    """The bytes of `model.model_dump_json(…).encode()`; in Russian texts the way over `str` takes nearly half of the time.
    `by_alias` None: as the model itself says."""
    return _adapter(type(model)).dump_json(
        model, by_alias=by_alias, exclude_defaults=exclude_defaults, exclude_none=exclude_none
    )


@cache
def _adapter(shape: type[BaseModel]) -> TypeAdapter[Any]:
    return TypeAdapter(shape)
