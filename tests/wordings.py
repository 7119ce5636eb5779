"""Templates as their authors send them."""

from typing import Any

SHIPPED: dict[str, Any] = {
    "template_id": "order_shipped",
    "type": "ORDER_SHIPPED",
    "default_locale": "en",
    "channels": {
        "push": {
            "en": {
                "title": "On its way",
                "body": "Order {{ order_id }} 🚚",
                "action_url": "https://x.example/o/{{ order_id }}",
            }
        },
        "email": {
            "en": {"subject": "Order {{ order_id }}", "html_body": "<p>Dear {{ name }}</p>"},
            "es": {
                "subject": "Pedido",
                "mjml_body": "<mjml><mj-body><mj-section><mj-column><mj-text>Hola {{ name }}"
                "</mj-text></mj-column></mj-section></mj-body></mjml>",
            },
        },
        "sms": {"en": {"body": "Shipped: {{ order_id }}"}, "pt": {"body": "Enviado: {{ order_id }}"}},
    },
    "variables": {
        "order_id": {"type": "string", "required": True, "default": None},
        "name": {"type": "string", "required": False, "default": "friend"},
    },
}
#: The body of a version.
SECOND: dict[str, Any] = {"channels": {"sms": {"en": {"body": "Second"}}}}
