"""Who may read what: a role opens its own authorities; an executor sees only what was assigned to its agency."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.envelope import Actor
from services.runtime import problems


@dataclass(frozen=True, slots=True)
class Sight:
    """What an actor may see: messages of `authorities`, and of these only those assigned to `agency` unless it is None."""

    authorities: tuple[str, ...]
    agency: str | None = None

    def only(self, authority: str | None) -> Sight:
        """Narrowed to one authority; 404 when it is not his, as if it did not exist."""
        if authority is None:
            return self
        if authority not in self.authorities:
            raise problems.not_found()
        return Sight((authority,), self.agency)


def sight(actor: Actor) -> Sight:
    """Raises ProblemError 403 for those who read nothing here (a monitor, an operator; an executor without an agency)."""
    if actor.reads_all:
        return Sight(actor.authorities)
    if "executor" in actor.roles and actor.agency is not None:
        return Sight(actor.authorities, actor.agency)
    raise problems.forbidden("Отчёты читают координатор, руководство, комитет, аудитор и исполнители.")


def whole(actor: Actor, authority: str) -> None:
    """For what tells of every agency at once: 404 for another authority, 403 for an executor."""
    seen = sight(actor).only(authority)
    if seen.agency is not None:
        raise problems.forbidden("Сводки и рейтинги — для координатора и руководства; исполнителю — его сообщения.")
