"""The embedded servers as processes see them: started by the first, shared, restarted, stopped after the last."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from time import monotonic

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded import record
from config.embedded.home import REPOSITORY
from tests.embedded.conftest import Lodging, answers, ask, wait_until

NEVER = Retry(NoBackoff(), 0)


def pings(redis_url: str) -> bool:
    with redis.Redis.from_url(redis_url, socket_timeout=2, retry=NEVER) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def keep_something(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")


def test_both_servers_answer_at_the_addresses_given(inhabited: Lodging) -> None:
    user = inhabited.users[0]
    assert ask(user.database_url, "SELECT current_database() || ' ' || current_user") == "carillon carillon"
    assert pings(user.redis_url)
    assert user.broker_url == user.redis_url.removesuffix("/0") + "/1"


def test_the_servers_take_nobody_without_the_password(inhabited: Lodging) -> None:
    user = inhabited.users[0]
    stranger = user.database_url.replace(inhabited.state("postgres").password, "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stranger)
    with (
        redis.Redis(port=inhabited.state("valkey").port, retry=NEVER) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_passwords_are_in_no_readable_file_and_no_command_line(inhabited: Lodging) -> None:
    assert stat.S_IMODE(inhabited.home.servers.stat().st_mode) == 0o600
    for server in ("postgres", "valkey"):
        state = inhabited.state(server)
        assert state.password not in " ".join(psutil.Process(state.pid).cmdline())


def test_the_servers_listen_on_loopback_alone(inhabited: Lodging) -> None:
    for server in ("postgres", "valkey"):
        listening = [
            each.laddr.ip
            for each in psutil.Process(inhabited.state(server).pid).net_connections()
            if each.status == psutil.CONN_LISTEN
        ]
        assert listening == ["127.0.0.1"]


def test_what_can_be_lost_is_durable_and_what_is_queued_is_never_evicted(inhabited: Lodging) -> None:
    user = inhabited.users[0]
    durable = "SELECT current_setting('fsync') || current_setting('synchronous_commit')"
    assert ask(user.database_url, durable) == "onon"
    with redis.Redis.from_url(user.redis_url, decode_responses=True) as client:
        assert client.config_get("append*")["appendonly"] == "yes"
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


def test_a_second_process_joins_the_running_servers(inhabited: Lodging) -> None:
    first = inhabited.users[0]
    pid = inhabited.state("postgres").pid
    second = inhabited.user().wait_for_servers()
    assert (second.database_url, second.redis_url) == (first.database_url, first.redis_url)
    assert inhabited.state("postgres").pid == pid


def test_processes_that_start_at_once_share_one_pair_of_servers(lodging: Lodging) -> None:
    users = [lodging.user() for _ in range(6)]
    assert len({user.wait_for_servers().database_url for user in users}) == 1
    starts = (lodging.home.logs / "postgres.log").read_text().count("ready to accept connections")
    assert starts == 1


def test_data_port_and_password_outlive_the_servers(lodging: Lodging) -> None:
    first = lodging.user().wait_for_servers()
    keep_something(first.database_url)
    with redis.Redis.from_url(first.redis_url) as client:
        client.set("kept", "42")
    first.leave()
    wait_until(lodging.is_quiet)
    second = lodging.user().wait_for_servers()
    assert second.database_url == first.database_url
    assert ask(second.database_url, "SELECT answer FROM kept") == 42
    with redis.Redis.from_url(second.redis_url) as client:
        assert client.get("kept") == b"42"


def test_a_killed_postgres_is_back_within_seconds_at_the_same_address(lodging: Lodging) -> None:
    user = lodging.user().wait_for_servers()
    keep_something(user.database_url)
    killed = lodging.kill("postgres")
    began = monotonic()
    wait_until(lambda: answers(user.database_url), seconds=10)
    assert monotonic() - began < 10
    assert ask(user.database_url, "SELECT answer FROM kept") == 42
    wait_until(lambda: lodging.state("postgres").pid not in {0, killed})


def test_a_killed_valkey_is_back_within_seconds_at_the_same_address(lodging: Lodging) -> None:
    user = lodging.user().wait_for_servers()
    with redis.Redis.from_url(user.redis_url) as client:
        client.set("kept", "42")
        client.execute_command("WAITAOF", 1, 0, 2000)
    lodging.kill("valkey")
    wait_until(lambda: pings(user.redis_url), seconds=10)
    with redis.Redis.from_url(user.redis_url) as client:
        assert client.get("kept") == b"42"


def test_the_servers_stop_cleanly_after_their_last_user(lodging: Lodging) -> None:
    first, second = (lodging.user().wait_for_servers() for _ in range(2))
    first.leave()
    second.process.kill()
    second.leave()
    wait_until(lodging.is_quiet, seconds=20)
    assert "database system is shut down" in (lodging.home.logs / "postgres.log").read_text()
    assert not (Path(record.load(lodging.home.servers).place) / "postgres" / "postmaster.pid").exists()


def test_a_process_that_comes_while_they_stop_finds_running_servers(lodging: Lodging) -> None:
    for _ in range(3):
        lodging.user(CARILLON_KEEP_SECONDS="0").wait_for_servers().leave()
        user = lodging.user(CARILLON_KEEP_SECONDS="0").wait_for_servers()
        assert answers(user.database_url), user.error
        user.leave()


def test_the_servers_do_not_outlive_a_killed_keeper(lodging: Lodging) -> None:
    user = lodging.user().wait_for_servers()
    pids = [lodging.state(server).pid for server in ("postgres", "valkey")]
    os.kill(record.load(lodging.home.servers).keeper, signal.SIGKILL)
    again = lodging.user().wait_for_servers()
    assert again.database_url == user.database_url
    assert answers(again.database_url)
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids))


def test_only_the_server_that_is_needed_is_started(lodging: Lodging) -> None:
    user = lodging.user(DATABASE_URL="postgres://somewhere.example/else").wait_for_servers()
    assert user.database_url == "postgres://somewhere.example/else"
    assert (lodging.state("postgres").pid, lodging.state("valkey").ready) == (0, True)


def test_a_keeper_at_work_starts_what_a_later_process_needs_besides(lodging: Lodging) -> None:
    lodging.user(DATABASE_URL="postgres://somewhere.example/else").wait_for_servers()
    later = lodging.user().wait_for_servers()
    assert answers(later.database_url)


def test_nothing_is_started_for_a_process_that_names_its_own_servers(lodging: Lodging) -> None:
    own = {"DATABASE_URL": "postgres://a.example/b", "REDIS_URL": "redis://c.example/4"}
    user = lodging.user(**own).wait_for_servers()
    assert user.broker_url == "redis://c.example/5"
    assert not lodging.home.root.exists()


def test_a_lost_servers_file_costs_the_password_but_not_the_data(lodging: Lodging) -> None:
    first = lodging.user().wait_for_servers()
    keep_something(first.database_url)
    first.leave()
    wait_until(lodging.is_quiet)
    written = record.load(lodging.home.servers)
    written.servers.clear()
    record.save(lodging.home.servers, written)
    again = lodging.user().wait_for_servers()
    assert ask(again.database_url, "SELECT answer FROM kept") == 42


def test_data_of_another_postgres_are_refused_with_the_cure(lodging: Lodging) -> None:
    lodging.user().wait_for_servers().leave()
    wait_until(lodging.is_quiet)
    version = Path(record.load(lodging.home.servers).place) / "postgres" / "PG_VERSION"
    version.write_text("9\n")
    refused = lodging.user().wait_for_servers()
    assert "was made by PostgreSQL 9, and what is installed here is 18" in refused.error
    assert "Point CARILLON_POSTGRES_BIN at PostgreSQL 9" in refused.error
    version.write_text("18\n")


def test_a_home_that_cannot_be_written_is_named_with_the_cure(lodging: Lodging) -> None:
    refused = lodging.user(CARILLON_HOME="/proc/carillon").wait_for_servers()
    assert "CARILLON_HOME: /proc/carillon cannot be written" in refused.error
    assert "Set CARILLON_HOME to a folder that this user owns" in refused.error


def test_a_wrong_choice_is_told_to_whoever_made_it(lodging: Lodging) -> None:
    refused = lodging.user(CARILLON_KEEP_SECONDS="long").wait_for_servers()
    assert "CARILLON_KEEP_SECONDS: 'long' is not a duration" in refused.error


def test_production_starts_nothing_and_asks_for_its_servers(lodging: Lodging) -> None:
    refused = lodging.user(CARILLON_ENV="production").wait_for_servers()
    assert "DATABASE_URL: it is not set" in refused.error
    assert not lodging.home.root.exists()


def test_the_module_loads_neither_settings_nor_celery_nor_redis() -> None:
    heavy = "import sys, config.embedded; print({'celery', 'redis', 'django.conf'} & set(sys.modules) or '')"
    command = [sys.executable, "-c", heavy]
    assert subprocess.check_output(command, cwd=REPOSITORY, text=True).strip() == ""
