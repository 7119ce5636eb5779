"""Outcomes into rows: the only door to a delivery's status after planning."""

from notify.record.ending import bury_delivery, end_notifications, follow, record_unsendable
from notify.record.page import close_page, record_page
from notify.record.receipts import Heard, record_receipts
from notify.record.share import NewlyTold, after_share, record_share
from notify.record.tried import Tried

__all__ = [
    "Heard",
    "NewlyTold",
    "Tried",
    "after_share",
    "bury_delivery",
    "close_page",
    "end_notifications",
    "follow",
    "record_page",
    "record_receipts",
    "record_share",
    "record_unsendable",
]
