"""The live streams of inboxes; REST and admin run under WSGI, at a sixth of the cost (performance.md section 7)."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("CARILLON_PROCESS", "stream")
django.setup()

from config.stream.app import Application  # noqa: E402 - the app registry must be ready first

application = Application()
