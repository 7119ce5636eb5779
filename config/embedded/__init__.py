"""PostgreSQL and Valkey for whoever has neither: real servers from wheels, kept while somebody uses them.

For demonstration, development and tests; production names its own servers. Nothing here imports Django's
settings, Celery or Redis: settings.py calls `endpoints`, and the keeper has to be small.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from config import env
from config.embedded.choices import read_choices
from config.embedded.home import Home, carillon_home
from config.embedded.joining import join
from config.embedded.keys import Secrets, generated_secrets
from config.embedded.postgres import NAME
from config.embedded.record import ServerState

__all__ = ["Endpoints", "Home", "Secrets", "carillon_home", "endpoints", "generated_secrets"]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the database, Redis and the broker are; the addresses hold passwords."""

    database_url: str
    redis_url: str
    broker_url: str

    def __repr__(self) -> str:
        return "Endpoints(…)"


def endpoints() -> Endpoints:
    """What the environment names, and for the rest the embedded servers, started if they are not running.

    Under a millisecond where they run, a second where they do not. This process counts as their user until
    it ends.
    """
    database = env.url(
        "DATABASE_URL", "", schemes=("postgres", "postgresql"), about="PostgreSQL; not set: the embedded one"
    )
    redis = env.url(
        "REDIS_URL",
        "",
        schemes=("redis", "rediss", "unix"),
        about="Valkey or Redis; not set: the embedded one",
    )
    broker = env.url(
        "CELERY_BROKER_URL",
        "",
        schemes=("amqp", "amqps", "redis", "rediss"),
        about="Celery's broker; not set: the database of REDIS_URL's server next to it",
    )
    read_choices()
    missing = [name for name, address in (("postgres", database), ("valkey", redis)) if not address]
    if missing:
        states = join(_home_outside_production(), missing)
        database = database or _database_url(states["postgres"])
        redis = redis or _redis_url(states["valkey"])
    return Endpoints(database, redis, broker or neighbour(redis))


def neighbour(redis_url: str) -> str:
    """The address of another database on the same server: 1 for 0, 0 for 1, 3 for 2, and so on."""
    parts = urlsplit(redis_url)
    number = parts.path.strip("/") or "0"
    if not number.isdigit():
        raise env.ConfigurationError("REDIS_URL", "its path is not the number of a database", "End it with /0")
    return urlunsplit(parts._replace(path=f"/{int(number) ^ 1}"))


def _home_outside_production() -> Home:
    kind = env.choice(
        "CARILLON_ENV",
        ("development", "production"),
        "development",
        about="Production starts nothing and guesses nothing",
    )
    if kind == "production":
        for name in ("DATABASE_URL", "REDIS_URL"):
            env.text(name)
    return carillon_home()


def _database_url(state: ServerState) -> str:
    return f"postgres://{NAME}:{state.password}@127.0.0.1:{state.port}/{NAME}"


def _redis_url(state: ServerState) -> str:
    return f"redis://:{state.password}@127.0.0.1:{state.port}/0"
