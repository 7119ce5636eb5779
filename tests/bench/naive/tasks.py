"""One notification, one task."""

# mypy: ignore-errors
# Another Django project: the plugin of the type checker knows one settings module.

from __future__ import annotations

import requests
from celery import shared_task
from django.conf import settings
from django.template import Context, Template
from django.utils import timezone

from tests.bench.naive.models import Notification, Person, Wording

_HEADERS = {"Authorization": f"Bearer {settings.FCM_TOKEN}"}
_session = requests.Session()


@shared_task
def send_push(user_id: str, kind: str, variables: dict[str, str]) -> None:
    """Tell one person one thing."""
    person = Person.objects.get(user_id=user_id)
    if not person.push_enabled:
        return
    notification, created = Notification.objects.get_or_create(person=person, kind=kind, order_id=variables["order_id"])
    if not created and notification.status == "sent":
        return
    wording = _wording_for(kind, person.locale)
    context = Context(variables, autoescape=False)
    notification.title = Template(wording.title).render(context)
    notification.body = Template(wording.body).render(context)
    response = _post(
        {
            "message": {
                "token": person.token,
                "data": {"carillon_id": f"naive-{notification.order_id}"},
                "notification": {"title": notification.title, "body": notification.body},
                "android": {"priority": "NORMAL"},
            }
        }
    )
    response.raise_for_status()
    notification.provider_id = response.json()["name"]
    notification.status = "sent"
    notification.sent_at = timezone.now()
    notification.save()


def _wording_for(kind: str, locale: str) -> Wording:
    """The person's language, else English."""
    wording = Wording.objects.filter(kind=kind, language=locale[:2]).first()
    return wording or Wording.objects.get(kind=kind, language="en")


def _post(message: dict[str, object]) -> requests.Response:
    """`requests.post`; with a kept session only where the bench asks for it."""
    post = _session.post if settings.KEPT else requests.post
    return post(settings.FCM_SEND_URL, json=message, headers=_HEADERS, timeout=10, verify=settings.FCM_CA_FILE)
