"""The asynchronous half on one page: pools, queues, schedule, and the settings that survive. Data only.

Pools are defined here once; `make up`, docker/compose.yaml and docs are read from or checked against `POOLS`.
"""

from __future__ import annotations

from typing import NamedTuple

from kombu import Exchange, Queue

from campaigns.vocabulary import CampaignStep
from channels.vocabulary import Channel
from notify.vocabulary import Priority, Step


class Pool(NamedTuple):
    """One kind of worker process: it serves these queues and no others."""

    name: str
    queues: tuple[str, ...]
    #: Child processes by default; `CARILLON_POOL_<NAME>` overrides.
    concurrency: int
    #: How far it steps back when the machine is full: what is urgent is woken first.
    niceness: int = 0


def _queues_of(priority: Priority) -> tuple[str, ...]:
    """Dispatch first: what is nearest to its recipient leaves before new work begins."""
    return (*(f"dispatch.{channel}.{priority}" for channel in Channel), f"render.{priority}", f"plan.{priority}")


#: One pool per priority, never shared; housekeeping apart, so that a backlog cannot starve the sweeper; receipts apart
#: from both, since providers decide how many of them come at once; and campaigns, whose audiences are read and written
#: out by the million.
POOLS: tuple[Pool, ...] = (
    Pool("critical", _queues_of(Priority.CRITICAL), 4),
    Pool("high", _queues_of(Priority.HIGH), 6),
    Pool("medium", _queues_of(Priority.MEDIUM), 2, niceness=5),
    Pool("low", _queues_of(Priority.LOW), 2, niceness=10),
    Pool("receipts", ("receipts",), 1, niceness=5),
    Pool("campaigns", ("campaigns",), 2, niceness=10),
    Pool("housekeeping", ("housekeeping",), 1),
)


class Tick(NamedTuple):
    """One beat of the schedule: a task run every so many seconds of UTC; wall clocks live in rows."""

    step: Step | CampaignStep
    seconds: float
    queue: str = "housekeeping"
    args: tuple[str, ...] = ()


#: What celery-beat runs. A tick that waited longer than two periods is dropped: the next one does its work.
SCHEDULE: dict[str, Tick] = {
    "sweep": Tick(Step.SWEEP, 2.0),
    "collect-due": Tick(Step.COLLECT_DUE, 1.0),
    "digest": Tick(Step.DIGEST, 5.0),
    "receive": Tick(Step.RECEIVE, 1.0, "receipts"),
    "maintain": Tick(Step.MAINTAIN, 3600.0),
    "watch-load": Tick(Step.WATCH_LOAD, 15.0),
    "launch": Tick(CampaignStep.LAUNCH, 1.0),
    "watch": Tick(CampaignStep.WATCH, 2.0),
    "import-people": Tick(CampaignStep.IMPORT_PEOPLE, 5.0, "campaigns"),
    **{f"heartbeat-{pool.name}": Tick(Step.HEARTBEAT, 5.0, pool.queues[-1], (pool.name,)) for pool in POOLS},
}


#: Where RabbitMQ puts what it gave up delivering; kept for a person to look at, the sweeper has the rows.
DEAD_EXCHANGE = "carillon.dead"
DEAD_QUEUE = "carillon.dead"


def queue_names() -> list[str]:
    """Every queue, each in exactly one pool."""
    return [queue for pool in POOLS for queue in pool.queues]


def redis_queues() -> list[Queue]:
    """Direct queues: published to by name alone, so that a flushed Redis loses messages but no routes."""
    return [Queue(name, Exchange(name, type="direct"), routing_key=name) for name in queue_names()]


def rabbitmq_queues() -> list[Queue]:
    """Quorum queues on one topic exchange; what is refused five times goes to the dead-letter exchange."""
    exchange = Exchange("carillon", type="topic", durable=True)
    arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 5,
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": DEAD_QUEUE,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    return [Queue(name, exchange, routing_key=name, queue_arguments=arguments) for name in queue_names()]


COMMON: dict[str, object] = {
    "task_acks_late": True,
    "task_acks_on_failure": True,
    "task_acks_on_timeout": True,
    "task_ignore_result": True,
    "result_backend": None,
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_create_missing_queues": False,
    "task_default_queue": "housekeeping",
    "task_soft_time_limit": 35,
    "task_time_limit": 40,
    "task_publish_retry": True,
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2},
    "broker_connection_timeout": 3,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_pool_limit": 10,
    "broker_heartbeat": 30,
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_max_tasks_per_child": 20_000,
    "worker_max_memory_per_child": 400_000,
    "worker_eta_task_limit": 500,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "beat_scheduler": "django_celery_beat.schedulers:DatabaseScheduler",
    "beat_sync_every": 1,
    "beat_max_loop_interval": 1,
    "timezone": "UTC",
    "enable_utc": True,
}

#: Redis hands an unacknowledged task on after `visibility_timeout`; it stays far above `task_time_limit`.
REDIS: dict[str, object] = {
    "task_retry_on_worker_lost": True,
    "broker_transport_options": {
        "visibility_timeout": 600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "queue_order_strategy": "priority",
        "socket_timeout": 30,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "max_connections": 50,
        "global_keyprefix": "carillon:",
    },
}

#: Quorum queues bound redelivery themselves; the time-outs keep a sick broker from holding a process for ever.
RABBITMQ: dict[str, object] = {
    "task_reject_on_worker_lost": True,
    "worker_detect_quorum_queues": True,
    "broker_transport_options": {"confirm_publish": True, "read_timeout": 15, "write_timeout": 15},
}

#: Seconds the publishing side (web, command line) waits on a sick broker before it leaves the page to the sweeper.
PUBLISHER_TIMEOUTS = {"socket_timeout": 2, "read_timeout": 3, "write_timeout": 3}
