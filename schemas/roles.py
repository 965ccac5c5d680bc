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
READERS = frozenset({"coordinator", "deputy", "head", "committee", "auditor"})
"""Roles that read every message of their authorities (contract, "Roles"). An executor reads what was assigned to its agency;
a monitor and an operator read none."""


def in_words(roles: Iterable[str]) -> str:
    """«куратор (coordinator), руководитель (head)»: for people, and for whoever writes the token."""
    wanted = set(roles)
    return ", ".join(f"{word} ({role})" for role, word in ROLES.items() if role in wanted)
