"""The mail that asks a person to confirm marketing: a type and a template like any other, made when first needed."""

from __future__ import annotations

from typing import Any

from channels.vocabulary import Channel
from notify.vocabulary import Priority, QuietHoursPolicy, TypeRow
from preferences.vocabulary import Category

#: The type's key, its template's, and the application in whose name it is sent.
TYPE_KEY, TEMPLATE_ID, APPLICATION = "CONFIRM_MARKETING", "confirm_marketing", "carillon"
_DAY_SECONDS = 86_400

#: It says no more than it must: this is the one mail that nobody has agreed to yet. By language: subject, who asks,
#: where to confirm, and what else.
_WORDS = {
    "en": (
        "Please confirm: news and offers",
        "Somebody, hopefully you, asked us to send news and offers to this address.",
        "If it was you, please confirm it here:",
        "If it was not, there is nothing you need to do: without your answer none are sent.",
    ),
    "es": (
        "Por favor, confirme: novedades y ofertas",
        "Alguien, esperamos que usted, nos pidió enviar novedades y ofertas a esta dirección.",
        "Si fue usted, confírmelo aquí:",
        "Si no, no tiene que hacer nada: sin su respuesta no se envía ninguna.",
    ),
    "de": (
        "Bitte bestätigen: Neuigkeiten und Angebote",
        "Jemand, hoffentlich Sie selbst, hat uns um Neuigkeiten und Angebote an diese Adresse gebeten.",
        "Wenn Sie es waren, bestätigen Sie es bitte hier:",
        "Wenn nicht, brauchen Sie nichts zu tun: Ohne Ihre Antwort kommt nichts.",
    ),
    "fr": (
        "Veuillez confirmer : nouveautés et offres",
        "Une personne, vous sans doute, a demandé à recevoir des nouveautés et des offres à cette adresse.",
        "Si cette demande vient de vous, veuillez la confirmer ici :",
        "Sinon, vous pouvez ignorer ce message : sans votre réponse, rien ne sera envoyé.",
    ),
    "ar": (
        "يرجى التأكيد: الأخبار والعروض",
        "طلب شخص ما، ونأمل أنه أنت، إرسال الأخبار والعروض إلى هذا العنوان.",
        "إن كنت أنت من طلب ذلك، فأكّده هنا:",
        "وإلا فلا حاجة إلى فعل أي شيء: لن يُرسل شيء من دون جوابك.",
    ),
}
#: {channel: {locale: {field: source}}}.
CHANNELS: dict[str, Any] = {
    Channel.EMAIL.value: {
        locale: {"subject": subject, "body": f"{opening}\n\n{ask}\n{{{{ confirm_url }}}}\n\n{closing}"}
        for locale, (subject, opening, ask, closing) in _WORDS.items()
    }
}
VARIABLES: dict[str, Any] = {"confirm_url": {"type": "string", "required": True, "default": None}}


def confirmation_type(lifetime_days: int) -> TypeRow:
    """The type: whoever has switched everything off and then asks for marketing is to get this one mail."""
    return TypeRow(
        key=TYPE_KEY,
        category=Category.TRANSACTION,
        priority=Priority.HIGH,
        channels=[Channel.EMAIL.value],
        mandatory=True,
        exempt_from_caps=True,
        caps=[],
        quiet_hours=QuietHoursPolicy.BYPASS,
        digestible=False,
        ttl_seconds=lifetime_days * _DAY_SECONDS,
        template_id=TEMPLATE_ID,
    )
