"""Names on the pages: agencies by the directory, and the coordinator as the authority's own act calls him."""

from __future__ import annotations

from regulations.directory import Directory
from schemas import events
from services.reporting.exports import words


def agency(directory: Directory, name: str) -> str:
    """The agency's name, or the id of one that the directory does not know any more; also whoever drafts."""
    if name == events.COORDINATOR:
        return role(directory, name)
    known = directory.agencies.get(name)
    return name if known is None else known.name


def role(directory: Directory, name: str) -> str:
    """«куратор», «отдел», «Координатор (ЦУР)»; the other roles are called the same everywhere."""
    if name == events.COORDINATOR:
        return directory.act(directory.number).words.coordinator
    return words.of(words.ROLES, name)


def told(directory: Directory, whom: str) -> str:
    """Who is told of a step, as the act names them."""
    return role(directory, whom) if whom == events.COORDINATOR else words.of(words.WHOM, whom)


def owner(directory: Directory, by: str, of: str | None) -> str:
    """Who owes something: an agency, or else a role."""
    return agency(directory, of) if of else role(directory, by)
