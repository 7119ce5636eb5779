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
    "IDEMPOTENCY_HOURS": env.integer(
        "CARILLON_IDEMPOTENCY_HOURS", 24, about="Hours for which an idempotency key is remembered"
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
    "config.apps.ConfigConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.request_context.RequestContextMiddleware",
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
