"""What is done at a desk, one step a function; `stories.py` puts them in an order."""

from __future__ import annotations

from typing import Any

from services.demo.desk import Case
from services.demo.posts import id_of


def _new(outcome: dict[str, Any], field: str) -> str:
    return next(str(event["data"][field]) for event in outcome["events"] if field in event["data"])


async def _triage(case: Case, *, high: bool) -> None:
    reducing, line = case.desk.act.reducing, case.post.line
    stated: dict[str, Any] = {}
    if reducing.source == "importance":
        stated = {"reduced": high}
    elif reducing.stated:
        stated = {"reduced": False}
    repeats = await _repeats(case)
    await case.command(
        "triage",
        topics=list(line.topics),
        location=line.place,
        importance="high" if high else "ordinary",
        **stated,
        **repeats,
    )


async def _repeats(case: Case) -> dict[str, Any]:
    """What the post repeats, once that has been answered: before, it is one more message."""
    if case.post.line.repeats is None:
        return {}
    earlier = id_of(case.desk.authority, case.earlier[case.post.line.repeats])
    answered = (await case.desk.message(earlier))["answered_at"] is not None
    return {"repeat_of": earlier} if answered else {}


async def _route(case: Case, agencies: list[str]) -> None:
    """The last of several agencies leads, so that the text of every region is content."""
    roles = ["contributor"] * (len(agencies) - 1) + ["lead"]
    assignments = [
        {"agency": agency, "role": role, "order": order}
        for order, (agency, role) in enumerate(zip(agencies, roles, strict=True), start=1)
    ]
    named = len(agencies) > 1 and case.desk.act.joint.drafted_by == "named"
    await case.command("route", assignments=assignments, **({"drafted_by": agencies[-1]} if named else {}))
    case.agencies = agencies


async def take(case: Case) -> None:
    """The coordinator looks at the post and sends it to the agency in charge."""
    await _triage(case, high=False)
    await _route(case, case.desk.agencies_for(case.post.line.topics, 1))


async def take_as_high(case: Case) -> None:
    """The same, of high importance, and told to the leader at once."""
    await _triage(case, high=True)
    await _route(case, case.desk.agencies_for(case.post.line.topics, 1))
    await case.command("escalate", ground=case.desk.act.escalation.grounds[0], summary=case.words("summary"))


async def take_jointly(case: Case) -> None:
    """Three agencies, one of which leads."""
    await _triage(case, high=False)
    await _route(case, case.desk.agencies_for(case.post.line.topics, 3))


async def take_elsewhere(case: Case) -> None:
    """Routed anew after a return: to an agency that has not had it."""
    others = [agency for agency in case.desk.agencies_for(case.post.line.topics, 99) if agency not in case.agencies]
    await _route(case, others[:1])


async def give_back(case: Case) -> None:
    """The executor returns what is not his."""
    view = await case.view()
    held = next(one for one in view["assignments"] if one["status"] == "issued")
    about = {"assignment_id": held["assignment_id"], "justification": case.words("justification")}
    await case.command("return", by=held["agency"], **about)


async def contribute(case: Case) -> None:
    """The agency whose turn it is sends its part; nothing when every part is there."""
    view = await case.view()
    turn = next(
        (
            one
            for one in view["assignments"]
            if one["status"] == "issued" and one["agency"] != view["drafted_by"]
        ),
        None,
    )  # fmt: skip
    if turn is None:
        return
    about = {"assignment_id": turn["assignment_id"]}
    await case.command("contribute", by=turn["agency"], text=case.words("contribution"), **about)
    if case.desk.act.joint.contributions_approved:
        await case.command("approve_contribution", **about)


async def draft(case: Case) -> None:
    """A draft of the answer, with what was done where the message is a repeat."""
    await _draft(case, "answer", case.answer())


async def draft_interim(case: Case) -> None:
    await _draft(case, "interim", case.words("interim"))


async def draft_clarification(case: Case) -> None:
    await _draft(case, "clarification", case.words("clarification"))


async def _draft(case: Case, kind: str, text: str) -> None:
    view = await case.view()
    drafter = view["drafted_by"]
    more = {"measures": case.words("measures")} if view.get("repeat_of") else {}
    by = None if drafter == "coordinator" else drafter
    outcome = await case.command("submit_draft", by=by, kind=kind, text=text, **more)
    case.draft_id = _new(outcome, "draft_id")


async def send_back(case: Case) -> None:
    await case.command("send_back_draft", draft_id=case.draft_id, comments=case.words("comments"))


async def approve(case: Case) -> None:
    await case.command("approve_draft", draft_id=case.draft_id, quality=case.dice.choice((3, 4, 4, 5, 5)))


async def publish(case: Case) -> None:
    """Whoever publishes by the regulation puts it under the post."""
    view = await case.view()
    lead = next(
        one["agency"]
        for one in view["assignments"]
        if one["role"] == "lead" and one["status"] in {"issued", "contributed", "done"}
    )
    await case.command(
        "report_publication",
        by=lead if case.desk.act.publication.by == "lead" else None,
        draft_id=case.draft_id,
        url=f"{view['source']['url']}?reply={case.commands}",
        place="same",
    )


async def hear_the_author(case: Case) -> None:
    """What the author says of the answer, where the post's line tells it."""
    satisfied = case.post.line.satisfied
    if satisfied is not None:
        await case.command("record_feedback", satisfied=satisfied, note=case.words("feedback"))
        await case.command("score_answer", score=5 if satisfied else 2)


async def edit(case: Case) -> None:
    """The author corrects his post."""
    edited = case.post.detection(case.stated_at, case.earlier, change="edited")
    await case.desk.push(edited | {"text": case.post.line.text + " UPD: спасибо, что ответили!"})


async def dismiss(case: Case) -> None:
    await case.command("dismiss", ground="no_response_needed")


async def dismiss_reply(case: Case) -> None:
    await case.command("dismiss", ground="no_response_needed", note=case.words("reply"))


async def dismiss_obscene(case: Case) -> None:
    await case.command("dismiss", ground="obscene_or_insulting")


async def dismiss_threat(case: Case) -> None:
    """Not processed; where the act asks for it, the police hears of it."""
    if case.desk.act.law_enforcement is not None:
        await case.command("refer_to_law_enforcement", body="Территориальный орган МВД", summary=case.words("threat"))
    await case.command("dismiss", ground="threat", note=case.words("threat"))


async def dismiss_spam(case: Case) -> None:
    dismissal = case.desk.act.dismissal
    if "spam" in dismissal.grounds:
        moderation = [] if dismissal.moderation is None else ["deleted", "author_blocked"]
        await case.command("dismiss", ground="spam", moderation=moderation)
    else:
        await case.command("dismiss", ground="no_response_needed")
