"""The inbox's event stream alone; REST and admin run under WSGI, at a sixth of the cost (performance.md section 7)."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("CARILLON_PROCESS", "stream")

application = get_asgi_application()
