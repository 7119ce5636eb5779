"""REST and admin under WSGI: many processes with one thread each (performance.md section 7)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("CARILLON_PROCESS", "web")

application = get_wsgi_application()
