"""Every Django setting, read from the environment; complete for production."""

from __future__ import annotations

import base64
import os
import warnings
import zoneinfo
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from config import admin_site, env
from config.embedded import endpoints, generated_secrets

# Debian's zone data may be a year behind the pinned tzdata package: without a path, zoneinfo uses the package. The
# variable is for child processes; this one may have read the system's files already.
os.environ["PYTHONTZPATH"] = ""
zoneinfo.reset_tzpath(to=())
zoneinfo.ZoneInfo.clear_cache()

BASE_DIR = Path(__file__).resolve().parent.parent
_ENV = env.choice(
    "CARILLON_ENV",
    ("development", "production"),
    "development",
    about="Production starts nothing and guesses nothing",
)
PRODUCTION = _ENV == "production"
HOME = env.path(
    "CARILLON_HOME",
    BASE_DIR / ".carillon",
    about="Where the embedded servers, their data, generated keys and logs live",
)
ENDPOINTS = endpoints()
SECRETS = generated_secrets(HOME) if not PRODUCTION else None


def _secret(name: str, generated: str | None, about: str) -> str:
    """A secret from the environment; outside production, the generated one stands in."""
    return env.text(name, generated, about=about) if generated is not None else env.text(name, about=about)


SECRET_KEY = _secret(
    "CARILLON_SECRET_KEY",
    SECRETS.secret_key if SECRETS is not None else None,
    "Signs sessions and user tokens, peppers the hashes of API keys: a new one makes all of them invalid",
)
DEBUG = False
ALLOWED_HOSTS = env.text(
    "CARILLON_ALLOWED_HOSTS",
    "*" if not PRODUCTION else "",
    about="Host names that are answered, separated by commas; any outside production",
).split(",")
PUBLIC_URL = env.text(
    "CARILLON_PUBLIC_URL",
    f"http://127.0.0.1:{env.integer('PORT', 8000)}",
    about="How the outside world reaches the web processes; https makes cookies secure",
).rstrip("/")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

#: What the apps' own conf.py modules read.
CARILLON: dict[str, Any] = {
    "HOME": HOME,
    "PUBLIC_URL": PUBLIC_URL,
    "PROVIDERS_FILE": env.path(
        "CARILLON_PROVIDERS_FILE", None, about="The TOML file of provider accounts; not set: the sandbox alone"
    ),
    "MASTER_KEYS": _secret(
        "CARILLON_MASTER_KEYS",
        SECRETS.master_keys if SECRETS is not None else None,
        "Wrap the recipients' data keys: id:base64 of 32 bytes, separated by commas, the current one first",
    ),
    "HASH_KEY": base64.b64decode(
        _secret(
            "CARILLON_HASH_KEY",
            SECRETS.hash_key if SECRETS is not None else None,
            "Base64 of 32 bytes by which addresses are found again; it can never be changed",
        )
    ),
    "REDIS_URL": ENDPOINTS.redis_url,
    "BROKER_URL": ENDPOINTS.broker_url,
    "RETENTION_DAYS": env.integer(
        "CARILLON_RETENTION_DAYS", 90, about="Days after which the log of notifications is dropped"
    ),
    "FANOUT_THRESHOLD": env.integer(
        "CARILLON_FANOUT_THRESHOLD",
        10_000,
        about="Subscribers above which what a topic is told in the app is written once, and merged when it is read",
    ),
    "IDEMPOTENCY_HOURS": env.integer(
        "CARILLON_IDEMPOTENCY_HOURS", 24, about="Hours for which an idempotency key is remembered"
    ),
    "MARKETING_DEFAULT": env.choice(
        "CARILLON_MARKETING_DEFAULT",
        ("off", "on"),
        "off",
        about="Whether people get marketing who said neither yes nor no; unlawful where consent must be explicit",
    )
    == "on",
    "DOUBLE_OPT_IN": env.boolean(
        "CARILLON_DOUBLE_OPT_IN",
        False,
        about="Marketing that was agreed to counts once the person has followed the link in an e-mail",
    ),
    "CURRENCY": env.text(
        "CARILLON_CURRENCY", "USD", about="What prices and budgets are in; a word, nothing is converted"
    ),
    "SMS_MAX_SEGMENTS": env.integer(
        "CARILLON_SMS_MAX_SEGMENTS",
        10,
        minimum=1,
        maximum=10,
        about="Segments after which a text message is cut; more than 10 no provider takes",
    ),
    "SMS_TRANSLITERATE": env.boolean(
        "CARILLON_SMS_TRANSLITERATE",
        False,
        about="Write Latin text in GSM-7 (straight quotes, no rare accents, no emoji) where that is cheaper",
    ),
    "CAPS": env.text(
        "CARILLON_CAPS",
        "push 30/1h, sms 5/1h, email 10/1d",
        about="How often one person is told on a channel at most: number/stretch of s, m, h or d, by commas; or none",
    ),
    "CAPS_SECURITY": env.text(
        "CARILLON_CAPS_SECURITY",
        "3/10m, 10/1d",
        about="How often security types, such as one-time passwords, may reach one number or e-mail address",
    ),
    "CAPS_EVERYBODY": env.text(
        "CARILLON_CAPS_EVERYBODY",
        "sms 100000/1h, email 500000/1h",
        about="How much all people together are sent on a channel at most; the rest waits, security does not",
    ),
    "AUTO_MODE_DEPTH": env.integer(
        "CARILLON_AUTO_MODE_DEPTH",
        0,
        about="Waiting notifications from which the system spares itself (twice as many: all but what is critical); "
        "0: only operators change the mode",
    ),
    "DIGEST_HOUR": env.text(
        "CARILLON_DIGEST_HOUR", "09:00", about="When daily and weekly digests are made, on each person's own clock"
    ),
    "CAMPAIGN_APPROVAL_ABOVE": env.integer(
        "CARILLON_CAMPAIGN_APPROVAL_ABOVE",
        1_000,
        minimum=0,
        about="People above which a campaign is approved by somebody other than who submitted it",
    ),
    "CAMPAIGN_RATE": env.integer(
        "CARILLON_CAMPAIGN_RATE",
        0,
        minimum=0,
        about="People a second that all campaigns together tell at most; 0: as many as go through",
    ),
    "CAMPAIGN_PAGES_AHEAD": env.integer(
        "CARILLON_CAMPAIGN_PAGES_AHEAD",
        40,
        minimum=1,
        about="Pages of up to 500 on their way at a campaign's priority, above which its audience waits",
    ),
    "CAMPAIGN_ERRORS_PAUSE": env.integer(
        "CARILLON_CAMPAIGN_ERRORS_PAUSE",
        10,
        minimum=1,
        maximum=100,
        about="Percent of failures at which a campaign stops by itself; at half of it a warning is logged",
    ),
    "CAMPAIGN_COMPLAINTS_PAUSE": env.text(
        "CARILLON_CAMPAIGN_COMPLAINTS_PAUSE",
        "0.3",
        about="Percent of complaints at which a campaign stops by itself; at a third of it a warning is logged",
    ),
    "SMS_DEAR_ABOVE": env.text(
        "CARILLON_SMS_DEAR_ABOVE",
        "0.05",
        about="Price of a segment above which no marketing and no social text goes out unless it was asked for",
    ),
    "BRAND_NAME": env.text(
        "CARILLON_BRAND_NAME", "", about="Whose messages these are, as the pages for people say it; not set: nobody's"
    ),
    "LANGUAGES": env.text(
        "CARILLON_LANGUAGES",
        "en,es,de,fr,ar",
        about="Languages that people may choose for their messages: BCP 47 tags, separated by commas",
    ),
    "STREAM_PORT": env.integer(
        "CARILLON_STREAM_PORT",
        min(env.integer("PORT", 8000), 65_534) + 1,
        minimum=1,
        maximum=65_535,
        about="Where `make up` serves the live streams of inboxes; any free port where this one is taken",
    ),
    "STREAM_URL": env.url(
        "CARILLON_STREAM_URL",
        "",
        schemes=("https", "http"),
        about="How the outside world reaches the live streams; not set: the web's host, on the port above",
    ).rstrip("/"),
    "INBOX_ORIGINS": tuple(
        filter(
            None,
            env.text(
                "CARILLON_INBOX_ORIGINS",
                "",
                about="Other origins (https://shop.example) whose pages may show inboxes, separated by commas",
            ).split(","),
        )
    ),
    "METRICS_DIR": HOME / "metrics",
    "LOG_LEVEL": env.text("CARILLON_LOG_LEVEL", "INFO", about="DEBUG, INFO, WARNING or ERROR"),
}

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels.apps.ChannelsConfig",
    "preferences.apps.PreferencesConfig",
    "notify.apps.NotifyConfig",
    "campaigns.apps.CampaignsConfig",
    "config.apps.ConfigConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.request_context.RequestContextMiddleware",
    "config.origins.InboxOriginsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def _database(url: str) -> dict[str, Any]:
    """Django's form of a PostgreSQL URL; connections outlive requests and tasks (reliability.md 1.3)."""
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 3,
            # Values travel apart from the statement: what a page asks for is neither quoted nor parsed as SQL, and
            # hot reads may ask for binary answers.
            "server_side_binding": True,
            "application_name": env.text(
                "CARILLON_PROCESS", "carillon", about="What this process is called in logs and by PostgreSQL"
            ),
        },
    }


DATABASES = {"default": _database(ENDPOINTS.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
# Before those of the packages: the pages for people say what they mean, whatever the admin calls it.
LOCALE_PATHS = [BASE_DIR / "notify" / "locale"]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True
# Before collectstatic has run the finders serve what the packages hold; that is no reason to warn.
warnings.filterwarnings("ignore", "No directory at", UserWarning)

LOGGING_CONFIG = "config.logs.configure"
LOGGING = {"level": CARILLON["LOG_LEVEL"]}
SENTRY_DSN = env.text("SENTRY_DSN", "", about="Where errors are reported; not set: nowhere")
SENTRY_RELEASE = env.text("SENTRY_RELEASE", "carillon@0.1.0", about="The version that error reports name")

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
#: A whole send of 1,000 recipients is under 1 MiB (api.md section 2); the API answers 413 above it itself.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["notify.api.auth.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["notify.api.auth.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["notify.api.throttles.TierThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "notify.api.openapi.StructSchema",
    "EXCEPTION_HANDLER": "notify.api.errors.problem_response",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Carillon",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
}

# The admin: Unfold's menu and look, a content policy, and staff who are logged out after a quarter of an hour idle.
UNFOLD = admin_site.UNFOLD
MIDDLEWARE += ["config.admin_site.AdminPolicyMiddleware"]
SESSION_COOKIE_AGE = 15 * 60
SESSION_SAVE_EVERY_REQUEST = True
# Unfold's login form does not carry where to go on.
LOGIN_REDIRECT_URL = "admin:index"
