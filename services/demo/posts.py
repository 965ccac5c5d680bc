"""The posts of the demonstration: templates from posts.toml, filled in with places; the same seed gives the same posts."""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

NETWORKS = {
    "vk": "https://vk.example/wall{id}",
    "ok": "https://ok.example/topic/{id}",
    "telegram": "https://t.example/chat/{id}",
}
LATE_BY = timedelta(hours=20)
"""How long ago the posts of the story `overdue` were detected: within the day that an authority accepts."""


@dataclass(frozen=True, slots=True)
class DemoPost:
    authority: str
    story: str
    topic: str
    detection: dict[str, Any]


def make(authority: str, count: int, now: datetime, *, seed: int = 7) -> list[DemoPost]:
    """`count` posts of the authority, detected in the minutes before `now` (aware), oldest first."""
    data = tomllib.loads((Path(__file__).parent / "posts.toml").read_text(encoding="utf-8"))
    dice = random.Random(f"{seed}/{authority}")
    places = data["places"].get(authority, ["районный центр"])
    templates = list(data["posts"])
    dice.shuffle(templates)
    made = []
    for number in range(count):
        template = templates[number % len(templates)]
        place, street = dice.choice(places), dice.choice(data["streets"])
        network = dice.choice(list(NETWORKS))
        external_id = f"demo-{now:%y%m%d%H%M%S}-{number}"
        ago = LATE_BY if template["story"] == "overdue" else timedelta(minutes=dice.randint(0, 12))
        detected_at = now - ago
        made.append(
            DemoPost(
                authority,
                template["story"],
                template["topic"],
                {
                    "authority": authority,
                    "source": {
                        "network": network,
                        "external_id": external_id,
                        "url": NETWORKS[network].format(id=external_id),
                    },
                    "author": {"name": dice.choice(data["authors"])},
                    "text": template["text"].format(place=place, street=street),
                    "detected_at": detected_at.isoformat(),
                    "posted_at": (detected_at - timedelta(minutes=dice.randint(3, 90))).isoformat(),
                    "location": place,
                    "detected_by": "demo-monitor",
                },
            )
        )
    return made
