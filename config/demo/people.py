"""Who the demo tells, and what makes each of them a case.

Sample data only: `example.com` is nobody's, and all phones are from the range that Ofcom keeps free for fiction.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A sample recipient."""

    name: str
    locale: str
    timezone: str
    country: str
    email: str
    phone: str
    #: Push tokens, one per device; of a browser, its subscription as JSON.
    tokens: tuple[str, ...]
    #: Of all devices: `android`, `ios` or `web`.
    platform: str = "android"
    #: The preferences document; empty: everything is allowed.
    preferences: dict[str, Any] = {}
    #: What is special about this person; empty: nothing.
    case: str = ""
    #: What the outcome shows, where something is special.
    lesson: str = ""
    has_dead_token: bool = False
    bounces: bool = False

    @property
    def user_id(self) -> str:
        """As the application calls this person."""
        return f"demo_{self.name.lower()}"

    @property
    def city(self) -> str:
        """The place after which the zone is named."""
        return self.timezone.rpartition("/")[2].replace("_", " ")

    @property
    def has_opted_out(self) -> bool:
        """Of everything that is not mandatory."""
        return bool(self.preferences.get("global_opt_out"))

    def has_switched_off(self, type_key: str, channel: str) -> bool:
        """Whether this person wants nothing of a type on a channel."""
        return self.preferences.get("types", {}).get(type_key, {}).get(channel) is False

    def profile(self) -> dict[str, Any]:
        """In the words of the API."""
        return {
            "user_id": self.user_id,
            "email": self.email,
            "phone": self.phone,
            "locale": self.locale,
            "timezone": self.timezone,
            "country_code": self.country,
            "attributes": {"name": self.name},
        }


def people(run: str, subscription: str = "{}") -> list[Person]:
    """Twelve people in twelve zones and two languages; one of them has the browser with this push subscription.

    The dead token and the bouncing address are new in every run: the earlier ones are known to be bad by now.
    """
    return [*_ordinary(subscription), *_choosy(), *_hard_to_reach(run)]


def _ordinary(subscription: str) -> list[Person]:
    """Everything reaches them; something is done about two of their notifications."""
    return [
        _person(1, "Alice", "en-GB", "Europe/London", "GB", devices=2, case="phone and tablet"),
        _person(
            *(2, "Lucia", "es-ES", "Europe/Madrid", "ES"),
            case="has a reminder scheduled",
            lesson="Lucia's reminder was scheduled, and left when its time had come.",
        ),
        _person(
            *(3, "Ravi", "en-IN", "Asia/Kolkata", "IN"),
            case="has a reminder called off",
            lesson="Ravi's reminder was called off before its time, and went nowhere.",
        ),
        _person(4, "Mateo", "es-MX", "America/Mexico_City", "MX"),
        _person(5, "Aroha", "en-NZ", "Pacific/Chatham", "NZ"),
        _person(
            *(6, "Pema", "en", "Asia/Kathmandu", "NP"),
            tokens=(subscription,),
            platform="web",
            case="reads in a browser",
            lesson="Pema's pushes were encrypted for her browser, and went to its push service.",
        ),
        _person(
            *(7, "Grace", "en-US", "America/New_York", "US"),
            tokens=("9ace" * 16,),
            platform="ios",
            case="has an iPhone",
            lesson="Grace has an iPhone: what others got through FCM came to her through APNs.",
        ),
    ]


def _choosy() -> list[Person]:
    """They have said what they do not want."""
    return [
        _person(
            *(8, "Sofia", "es-AR", "America/Argentina/Buenos_Aires", "AR"),
            preferences={"types": {"NEW_FOLLOWER": {"push": False}}},
            case="wants no push about followers",
            lesson="Sofia has switched off push for followers, and finds them in her inbox.",
        ),
        _person(
            *(9, "Olga", "en", "Europe/Helsinki", "FI"),
            preferences={"global_opt_out": True},
            case="has opted out",
            lesson="Olga has opted out: she got her verification code, which is mandatory, and nothing else.",
        ),
    ]


def _hard_to_reach(run: str) -> list[Person]:
    """Not every address of theirs is any good."""
    return [
        _person(
            *(10, "Nils", "en", "Europe/Stockholm", "SE"),
            devices=0,
            case="has no device",
            lesson="Nils has no device: the rest reached him, and what was critical came by SMS instead.",
        ),
        _person(
            *(11, "Dora", "en", "Europe/Athens", "GR"),
            tokens=(f"lab-unregistered-dora-{run}",),
            has_dead_token=True,
            case="her push token is dead",
            lesson="Dora's token is dead: FCM said so, an SMS went instead, and the token is not used again.",
        ),
        _person(
            *(12, "Bruno", "es", "America/Bogota", "CO"),
            email=f"lab-bounce@bruno-{run}.example.com",
            bounces=True,
            case="his e-mail bounces",
            lesson="Bruno's e-mail bounced after SendGrid had taken it; its receipt put the address on the suppression"
            " list. His phone got the push.",
        ),
    ]


def _person(number: int, name: str, locale: str, timezone: str, country: str, **more: Any) -> Person:
    devices = more.pop("devices", 1)
    known = {
        "email": f"{name.lower()}@example.com",
        "phone": f"+447700900{100 + number}",
        "tokens": tuple(_token(f"{name.lower()}{device}") for device in range(1, devices + 1)),
    }
    return Person(name=name, locale=locale, timezone=timezone, country=country, **known | more)


def _token(name: str) -> str:
    """A registration token of the shape FCM gives out."""
    return f"demo-{name}:APA91b{(name * 40)[:120]}"
