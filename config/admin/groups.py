"""Who may do what in the admin: three groups, kept exactly so at every `migrate` (docs/admin.md says it in words).

Whoever needs another cut makes a group of their own; these three are the program's. No group may reveal an address:
`preferences.reveal_contact` is given to one person at a time.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.apps import apps as global_apps
from django.contrib.auth.management import create_permissions

#: Models of which an auditor sees the pages, by app.
_SEEN = {
    "notify": (
        *("notificationtype", "template", "templateversion", "application", "apikey", "batch", "notification"),
        *("delivery", "attempt", "event", "deadletter", "page", "systemmodechange"),
    ),
    "preferences": ("recipient", "contactpoint", "device", "preference", "suppression"),
    "channels": ("providerswitch", "rate"),
    "campaigns": ("campaign", "import"),
    "django_celery_beat": (
        *("periodictask", "periodictasks", "intervalschedule", "crontabschedule", "solarschedule"),
        "clockedschedule",
    ),
    "auth": ("user", "group"),
    "admin": ("logentry",),
}

_EDITOR = {
    *(f"notify.{verb}_notificationtype" for verb in ("view", "add", "change")),
    *(f"notify.{verb}_template" for verb in ("view", "add", "change")),
    *(f"notify.{verb}_templateversion" for verb in ("view", "add")),
    *(f"campaigns.{verb}_campaign" for verb in ("view", "add", "change")),
}
_OPERATOR = {
    *(f"notify.view_{model}" for model in ("notification", "batch", "delivery", "attempt", "event", "page")),
    # Acting is `change`: cancelling, replaying, issuing and ending keys, the mode, switching and weighing.
    *(
        f"notify.{verb}_{model}"
        for verb in ("view", "change")
        for model in ("deadletter", "application", "apikey", "systemmodechange")
    ),
    *(
        "notify.change_notification",
        *(f"channels.{verb}_{model}" for verb in ("view", "change") for model in ("providerswitch", "rate")),
    ),
    *(f"preferences.view_{model}" for model in _SEEN["preferences"]),
    *("preferences.add_suppression", "preferences.delete_suppression"),
    *("campaigns.view_import", "campaigns.change_import"),
    # Who approves campaigns writes none, and so never approves words of their own; to start and to stop is for both.
    *("campaigns.view_campaign", "campaigns.approve_campaign"),
}
_AUDITOR = {f"{app}.view_{model}" for app, models in _SEEN.items() for model in models}

#: Group → its permissions, all of them and no others.
GROUPS: dict[str, frozenset[str]] = {
    "editor": frozenset(_EDITOR),
    "operator": frozenset(_OPERATOR),
    "auditor": frozenset(_AUDITOR),
}


def keep_groups(sender: AppConfig, using: str, apps: Any = global_apps, **_: Any) -> None:
    """Make the three groups what they are said to be; runs after migrations, and after a test emptied the tables."""
    try:
        group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:
        return  # migrated to a state before staff exists
    # Django makes an app's permissions in a receiver of the same signal, which may come after this one.
    create_permissions(sender, verbosity=0, using=using, apps=apps)
    rows = permission_model.objects.using(using).select_related("content_type")
    known = {f"{row.content_type.app_label}.{row.codename}": row.pk for row in rows}
    for name, wanted in GROUPS.items():
        group, _created = group_model.objects.using(using).get_or_create(name=name)
        group.permissions.set([known[one] for one in wanted if one in known])
