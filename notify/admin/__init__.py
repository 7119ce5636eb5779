"""The admin's pages of this app."""

from __future__ import annotations

from notify.admin import applications as applications
from notify.admin import dead_letters as dead_letters
from notify.admin import mode as mode
from notify.admin import notifications as notifications
from notify.admin import templates as templates
from notify.admin import types as types
from notify.admin import waiting as waiting
