"""Detections become messages, each post once; edits and removals are followed in the order of detection."""

from datetime import timedelta

import pytest

from schemas.envelope import Envelope
from schemas.ids import event_id
from schemas.inbox import DETECTION
from tests.unit.workflow.desk import START, Desk


def test_a_detection_registers_its_message() -> None:
    desk = Desk()
    desk.detect(id="d-1", topics=["roads"], location="Нальчик")
    registered = desk.events[0]
    assert desk.told == ["registered"]
    assert (registered.sequence, registered.id) == (1, event_id(desk.id, 1))
    assert (registered.causationid, registered.time, registered.source) == ("d-1", desk.at, "/otklik/workflow")
    assert registered.dataschema == "urn:otklik:schema:otklik.message.registered.v1"
    assert registered.actor is not None
    assert registered.actor.sub == "monitor-kbr"
    assert registered.data["regulation"] == "kbr-2022-137"
    assert registered.data["law"] == desk.directory.number
    assert desk.message.status == "registered"
    assert (desk.message.topics, desk.message.location) == (("roads",), "Нальчик")


def test_the_same_post_again_changes_nothing() -> None:
    desk = Desk().registered()
    assert list(desk.detect(text="Другой текст")) == []


def test_detected_at_is_never_later_than_the_receipt() -> None:
    desk = Desk()
    desk.detect(detected_at=(START + timedelta(hours=5)).isoformat())
    assert desk.message.detected_at == desk.at


def test_detected_at_is_what_was_stated() -> None:
    desk = Desk()
    desk.detect(detected_at=(START - timedelta(hours=2)).isoformat())
    assert desk.message.detected_at == START - timedelta(hours=2)


def test_a_detection_that_waited_too_long_in_the_log_is_registered_all_the_same() -> None:
    desk = Desk()
    desk.detect(detected_at=(START - timedelta(days=9)).isoformat())
    assert desk.message.detected_at == desk.at - desk.directory.max_detection_age


def test_an_edit_is_followed() -> None:
    desk = Desk().registered()
    desk.detect("edited", text="Яма у школы")
    assert desk.told == ["registered", "post-edited"]
    assert desk.message.post.text == "Яма у школы"


def test_edits_apply_in_the_order_of_detection() -> None:
    desk = Desk()
    desk.detect(detected_at=START.isoformat())
    desk.detect("edited", text="Третий", detected_at=(START + timedelta(seconds=30)).isoformat())
    desk.detect("edited", text="Второй", detected_at=(START + timedelta(seconds=20)).isoformat())
    assert desk.message.post.text == "Третий"
    assert desk.told == ["registered", "post-edited"]


def test_a_replayed_dead_letter_came_when_it_first_did_and_is_judged_by_that() -> None:
    first = START - timedelta(days=9)
    desk = Desk()
    (told, *_) = desk.detect(
        detected_at=(first - timedelta(hours=2)).isoformat(),
        headers={"otklik-first-appended-at": first.isoformat().encode()},
    )
    assert (desk.message.detected_at, desk.message.received_at) == (first - timedelta(hours=2), first)
    # Only what happens now happens now: event time never runs backwards.
    assert told.envelope.time > START


def test_no_header_brings_a_receipt_forward() -> None:
    desk = Desk()
    desk.detect(headers={"otklik-first-appended-at": (START + timedelta(days=1)).isoformat().encode()})
    assert desk.message.received_at == desk.at


def test_an_edit_of_an_unknown_post_registers_it() -> None:
    desk = Desk()
    desk.detect("edited")
    assert desk.told == ["registered"]


def test_the_first_text_that_comes_after_its_edit_changes_nothing() -> None:
    desk = Desk()
    desk.detect("edited", text="Исправленный")
    desk.detect(text="Первый")
    assert desk.message.post.text == "Исправленный"
    assert desk.told == ["registered"]


def test_the_same_edit_again_changes_nothing() -> None:
    desk = Desk().registered()
    desk.detect("edited", text="Раз", id="edit-1")
    desk.detect("edited", text="Два", id="edit-2")
    assert list(desk.detect("edited", text="Два")) == []
    assert list(desk.detect("edited", text="Раз", id="edit-1")) == []
    assert desk.message.post.text == "Два"


def test_a_removed_post_is_marked_and_nothing_else() -> None:
    desk = Desk().routed()
    before = desk.message
    desk.detect("removed")
    assert desk.told[-1] == "post-removed"
    assert desk.message.removed
    assert desk.message.status == before.status == "in_work"
    assert list(desk.detect("removed")) == []


def test_a_removal_that_comes_before_the_post_is_not_lost() -> None:
    desk = Desk()
    desk.detect("removed")
    desk.detect()
    assert desk.told == ["registered", "post-removed"]
    assert desk.message.removed


def test_an_edit_after_a_removal_brings_the_post_back() -> None:
    desk = Desk().registered()
    desk.detect("removed")
    desk.detect("edited")
    assert not desk.message.removed
    assert desk.told == ["registered", "post-removed", "post-edited"]


def test_an_agency_that_has_the_message_hears_of_edits() -> None:
    desk = Desk().routed()
    desk.detect("edited", text="Яма у школы")
    assert desk.copied_to(desk.a)[-1].data["post"]["text"] == "Яма у школы"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data": {"authority": "kbr"}}, "invalid-detection"),
        ({"subject": "d964e7a7-eb02-55b4-ba6c-aa87ea22cb31"}, "wrong-subject"),
        ({"type": "otklik.nothing.v1"}, "unknown-type"),
    ],
)
def test_what_is_no_detection_is_a_dead_letter(change: dict[str, object], reason: str) -> None:
    desk = Desk()
    source = {"network": "vk", "external_id": "-1_1", "url": "https://vk.com/wall-1_1"}
    data = {"authority": "kbr", "source": source, "post": {"author": {"name": "А"}, "text": "Т"}}
    good = Envelope(id="d-1", source="/test", type=DETECTION, subject=desk.id, time=START, data=data)
    assert list(desk.partition.when(good.model_copy(update=change), START)) == []
    assert desk.partition.dead == [reason]


def test_an_authority_that_the_world_does_not_know_is_a_dead_letter() -> None:
    desk = Desk()
    desk.region = "atlantis"
    desk.detect()
    assert desk.partition.dead == ["unknown-authority"]
