"""Keys made up for a home that was given none."""

from __future__ import annotations

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from config.embedded import generated_secrets
from config.env import ConfigurationError


def test_keys_are_made_once_and_stay(tmp_path: Path) -> None:
    first = generated_secrets(tmp_path / "home")
    assert generated_secrets(tmp_path / "home") == first
    assert generated_secrets(tmp_path / "other") != first


def test_keys_have_the_strength_they_need(tmp_path: Path) -> None:
    keys = generated_secrets(tmp_path / "home")
    key_id, _, master = keys.master_keys.partition(":")
    assert (key_id, len(base64.b64decode(master))) == ("k1", 32)
    assert len(base64.b64decode(keys.hash_key)) == 32
    assert len(keys.secret_key) >= 50


def test_nobody_else_can_read_the_keys_nor_do_they_show_in_a_log(tmp_path: Path) -> None:
    keys = generated_secrets(tmp_path / "home")
    assert stat.S_IMODE((tmp_path / "home" / "secrets.json").stat().st_mode) == 0o600
    assert keys.hash_key not in f"{keys} {keys!r}"


def test_many_at_once_get_the_same_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(generated_secrets, [tmp_path / "home"] * 8))
    assert made == [made[0]] * 8


@pytest.mark.parametrize("damage", ["", "{", json.dumps({"secret_key": "half"}), "[]"])
def test_damaged_keys_are_never_replaced(tmp_path: Path, damage: str) -> None:
    generated_secrets(tmp_path / "home")
    (tmp_path / "home" / "secrets.json").write_text(damage)
    with pytest.raises(ConfigurationError, match="Restore the file from a copy"):
        generated_secrets(tmp_path / "home")
    assert (tmp_path / "home" / "secrets.json").read_text() == damage
