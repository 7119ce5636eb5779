"""Every stand-in that lives under a path of its own; a new one is given its line here."""

from __future__ import annotations

from config.lab.apns import ApnsStandIn
from config.lab.http_sink import HttpStandIn
from config.lab.sendgrid import SendGridStandIn
from config.lab.ses import SesStandIn
from config.lab.sns import SnsStandIn
from config.lab.standin import StandIn
from config.lab.twilio import TwilioStandIn
from config.lab.vonage import VonageStandIn
from config.lab.webpush import WebPushStandIn

ALL: tuple[type[StandIn], ...] = (
    ApnsStandIn,
    WebPushStandIn,
    HttpStandIn,
    SendGridStandIn,
    SesStandIn,
    SnsStandIn,
    TwilioStandIn,
    VonageStandIn,
)
