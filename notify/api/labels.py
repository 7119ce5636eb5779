"""What the pages for people call things, in every language they speak."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.vocabulary import Channel
from preferences.rules.choices import Fault
from preferences.vocabulary import Category, DigestFrequency

#: A text that becomes words when it is shown, in the language of that moment.
Label = Promise | str


class About(NamedTuple):
    """A category: its name, what it is, and what it is called where somebody leaves it."""

    title: Label
    text: Label
    left: Label


CHANNELS: dict[Channel, Label] = {
    Channel.EMAIL: _("E-mail"),
    Channel.SMS: _("Text message"),
    Channel.PUSH: _("Push notification"),
    Channel.IN_APP: _("In the app"),
}
WAYS: dict[Channel, Label] = {
    Channel.EMAIL: _("by e-mail"),
    Channel.SMS: _("by text message"),
    Channel.PUSH: _("as push notifications"),
    Channel.IN_APP: _("in the app"),
}
CATEGORIES: dict[Category, About] = {
    Category.SECURITY: About(_("Security"), _("Sign-ins, changed passwords and the like."), _("notices of this kind")),
    Category.TRANSACTION: About(
        _("Orders and account"),
        _("What becomes of what you ordered, booked or asked for."),
        _("updates of this kind"),
    ),
    Category.SOCIAL: About(_("Social updates"), _("What other people do that concerns you."), _("social updates")),
    Category.REMINDER: About(_("Reminders"), _("What is coming up, and what you may have missed."), _("reminders")),
    Category.MARKETING: About(
        _("News and offers"), _("Only with your consent, which you can take back at any time."), _("news and offers")
    ),
}
DIGESTS: dict[DigestFrequency, Label] = {
    DigestFrequency.REALTIME: _("One by one, at once"),
    DigestFrequency.HOURLY: _("Together, once an hour"),
    DigestFrequency.DAILY: _("Together, once a day"),
    DigestFrequency.WEEKLY: _("Together, once a week"),
}
FAULTS: dict[Fault, Label] = {
    Fault.NO_TIME: _("Give a time between 00:00 and 23:59, for example 22:00."),
    Fault.SAME_TIME: _("The hours end when they begin. Give another end, or switch them off."),
    Fault.UNKNOWN_ZONE: _("We do not know this time zone. Choose one from the list."),
    Fault.UNKNOWN_LANGUAGE: _("We do not have this language. Choose one from the list."),
    Fault.UNKNOWN_CHOICE: _("Choose one of these."),
}
MARKETING = _("Yes, send me news and offers")
STOP = _("Send me nothing but what must be sent")
QUIET = _("Keep quiet during these hours")
QUIET_START = _("From")
QUIET_END = _("Until")
ZONE = _("Time zone")
LANGUAGE = _("Language")
DIGEST = _("How often")
SWITCHED_ON = _("on")
SWITCHED_OFF = _("off")
