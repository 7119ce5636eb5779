"""Types and templates of the demo, in two languages."""

from __future__ import annotations

from typing import Any

#: What the application tells people about, in the words of `PUT /v1/types/{key}`.
TYPES: dict[str, dict[str, Any]] = {
    "ORDER_SHIPPED": {
        "category": "transaction",
        "priority": "medium",
        "channels": ["push", "email"],
        "template_id": "order_shipped",
    },
    "VERIFICATION_CODE": {
        "category": "security",
        "priority": "high",
        "channels": ["sms"],
        "mandatory": True,
        "quiet_hours": "bypass",
        "ttl_seconds": 600,
        "template_id": "verification_code",
    },
    "NEW_FOLLOWER": {
        "category": "social",
        "priority": "low",
        "channels": ["in_app", "push"],
        "template_id": "new_follower",
    },
    # These two have no template: their words come with the call.
    "PAYMENT_FAILED": {
        "category": "transaction",
        "priority": "critical",
        "channels": ["push"],
        "quiet_hours": "bypass",
    },
    "MEETING_REMINDER": {"category": "reminder", "priority": "medium", "channels": ["push", "in_app"]},
}

_HTML = """<!doctype html><html><body style="font-family:sans-serif">
<h1>{title}</h1><p>{line}</p><p><b>{{{{ carrier }}}}</b> · {{{{ eta }}}}</p></body></html>"""

TEMPLATES: list[dict[str, Any]] = [
    {
        "template_id": "order_shipped",
        "type": "ORDER_SHIPPED",
        "default_locale": "en",
        "channels": {
            "push": {
                "en": {
                    "title": "On its way 📦",
                    "body": "Order {{ order_id }} left with {{ carrier }}, due {{ eta }}.",
                },
                "es": {
                    "title": "En camino 📦",
                    "body": "El pedido {{ order_id }} salió con {{ carrier }}, llega el {{ eta }}.",
                },
            },
            "email": {
                "en": {
                    "subject": "Your order {{ order_id }} is on its way",
                    "body": "Hello {{ user.attributes.name }},\n\n"
                    "{{ carrier }} brings your order {{ order_id }} on {{ eta }}.\n",
                    "html_body": _HTML.format(
                        title="On its way", line="Hello {{ user.attributes.name }}, order {{ order_id }} has left us."
                    ),
                },
                "es": {
                    "subject": "Su pedido {{ order_id }} está en camino",
                    "body": "Hola, {{ user.attributes.name }}:\n\n"
                    "{{ carrier }} le lleva el pedido {{ order_id }} el {{ eta }}.\n",
                    "html_body": _HTML.format(
                        title="En camino", line="Hola, {{ user.attributes.name }}: su pedido {{ order_id }} ya salió."
                    ),
                },
            },
        },
        "variables": {
            "order_id": {"type": "string", "required": True},
            "carrier": {"type": "string", "required": True},
            "eta": {"type": "string", "required": True},
        },
    },
    {
        "template_id": "verification_code",
        "type": "VERIFICATION_CODE",
        "default_locale": "en",
        "channels": {
            "sms": {
                "en": {"body": "{{ code }} is your {{ app_name }} code. It is good for {{ expiry_min }} minutes."},
                # "código" would cost every such SMS half of its room: GSM-7 has no ó.
                "es": {"body": "{{ code }} es su codigo de {{ app_name }}. Vale {{ expiry_min }} minutos."},
            }
        },
        "variables": {
            "code": {"type": "string", "required": True},
            "app_name": {"type": "string", "default": "Carillon"},
            "expiry_min": {"type": "number", "default": 10},
        },
    },
    {
        "template_id": "new_follower",
        "type": "NEW_FOLLOWER",
        "default_locale": "en",
        "channels": {
            channel: {
                "en": {"title": "New follower", "body": "{{ follower }} follows you now."},
                "es": {"title": "Nuevo seguidor", "body": "{{ follower }} ahora le sigue."},
            }
            for channel in ("push", "in_app")
        },
        "variables": {"follower": {"type": "string", "required": True}},
    },
]

PAYMENT_FAILED = {"title": "Payment failed", "body": "Your card was declined. Your order waits until you name another."}
REMINDER_ES = {"title": "Reunión a las 9:00", "body": "Su reunión empieza en un cuarto de hora."}
REMINDER_EN = {"title": "Meeting at 9:00", "body": "Your meeting begins in a quarter of an hour."}
