"""Roles that a token may bear (contract, "Roles"), and what people call them."""

from __future__ import annotations

from collections.abc import Iterable

ROLES = {
    "monitor": "мониторинг",
    "coordinator": "куратор",
    "executor": "исполнитель",
    "deputy": "заместитель руководителя",
    "head": "руководитель",
    "committee": "комитет",
    "auditor": "аудитор",
    "operator": "оператор",
}


def in_words(roles: Iterable[str]) -> str:
    """«куратор (coordinator), руководитель (head)»: for people, and for whoever writes the token."""
    wanted = set(roles)
    return ", ".join(f"{word} ({role})" for role, word in ROLES.items() if role in wanted)
