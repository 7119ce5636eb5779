"""What `manage.py up` refuses, before anything is started."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.home import REPOSITORY, prepared
from config.embedded.locks import FileLock


def up(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"CARILLON_HOME": str(home), "DATABASE_URL": "", "REDIS_URL": "", "CELERY_BROKER_URL": ""}
    command = [sys.executable, "manage.py", "up"]
    return subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | own | environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_busy_port_is_named_before_anything_is_started(tmp_path: Path, busy_port: int) -> None:
    refused = up(tmp_path / "home", PORT=str(busy_port))
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert refused.stderr.startswith(f"manage.py: PORT: {busy_port} cannot be served (Address already in use)")
    assert not (tmp_path / "home" / "servers.json").exists()


def test_a_second_up_on_the_same_home_is_refused(tmp_path: Path) -> None:
    with FileLock(prepared(tmp_path / "home").up_lock) as lock:
        assert lock.try_hold()
        refused = up(tmp_path / "home")
    assert "CARILLON_HOME: `up` already runs on" in refused.stderr
    assert not (tmp_path / "home" / "servers.json").exists()


@pytest.mark.parametrize("variable", ["PORT", "CARILLON_WEB_WORKERS", "CARILLON_POOL_CRITICAL"])
def test_a_wrong_number_is_one_line_and_no_stack_of_calls(tmp_path: Path, variable: str) -> None:
    refused = up(tmp_path / "home", **{variable: "many"})
    assert refused.stderr.startswith(f"manage.py: {variable}: 'many' is not a whole number")
    assert "Traceback" not in refused.stderr


def test_without_a_virtual_environment_of_the_right_python_make_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text((REPOSITORY / "Makefile").read_text())
    for lock in ("requirements.txt", "requirements-embedded.txt"):
        (tmp_path / lock).touch()
    (tmp_path / "sh").symlink_to("/bin/sh")
    make = shutil.which("make")
    assert make
    refused = subprocess.run(
        [make, "up"], cwd=tmp_path, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert "Carillon needs Python 3.11, and none was found." in refused.stderr
    assert not (tmp_path / ".venv").exists()
