"""Providers that fail in front of the whole platform, and a campaign while it dies, in small; `make chaos` plays the
same at full length."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.__main__ import SCENES, arena_with, play_scene
from tests.chaos.arena import Arena
from tests.chaos.campaign import SCENE as CAMPAIGN
from tests.chaos.report import PROVIDERS
from tests.chaos.scene import QUICK, Scene

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    """The platform with two SMS providers and FCM, on the lab."""
    with arena_with(QUICK) as arena:
        yield arena


@pytest.mark.parametrize("scene", SCENES[PROVIDERS], ids=lambda scene: scene.name)
def test_every_promise_holds_when_a_provider_fails(arena: Arena, scene: Scene) -> None:
    assert play_scene(arena, scene, QUICK).problems() == []


def test_a_campaign_ends_complete_although_each_process_dies(arena: Arena) -> None:
    assert play_scene(arena, CAMPAIGN, QUICK).problems() == []
