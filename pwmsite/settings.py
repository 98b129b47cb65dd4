"""Settings, driven by the environment, the embedded default first.

PWM_DEBUG says where the site runs. Not set: at home, for one machine over plain HTTP. ``1``: as at
home, with Django's pages for developers. ``0``: in production, where HTTPS is taken for granted
and keys and host names must be given. All variables are listed in docs/deploy.md.
"""

import os
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue

from pwmsite import environment, logs

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DEBUG = env.bool("PWM_DEBUG", default=False)
PRODUCTION = "PWM_DEBUG" in os.environ and not DEBUG

# Every process of the tests has a state of its own (pytest sets this variable before it loads us).
_state = BASE_DIR / "var" / (f"tests/{os.getpid()}" if "PYTEST_VERSION" in os.environ else "")
VAR_DIR = environment.state_folder(Path(env("PWM_VAR", default=str(_state))).resolve())

SECRET_KEY = environment.key("PWM_SECRET_KEY", VAR_DIR / "secret_key", required=PRODUCTION)
# A process that starts people's programs: it gets neither the keys below nor a way to the truth.
RUNNER = env.bool("PWM_RUNNER", default=False)
# The scenes, noise and true parameters of the dev and hidden tiers follow from this one: in
# production, only the machines that make those data and score them are given it.
DATA_KEY = ""
if not RUNNER and (env("PWM_DATA_KEY", default="") or not PRODUCTION):
    DATA_KEY = environment.data_key("PWM_DATA_KEY", VAR_DIR / "data_key")
# Workers sign bundles of evidence with it; nor do web servers in production have this one.
SIGNING_KEY = ""
if not RUNNER and (env("PWM_SIGNING_KEY", default="") or not PRODUCTION):
    SIGNING_KEY = environment.key("PWM_SIGNING_KEY", VAR_DIR / "signing_key", required=False)

# ---------------------------------------------------------------- where it answers
ALLOWED_HOSTS = env.list("PWM_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
if PRODUCTION and "PWM_ALLOWED_HOSTS" not in os.environ:
    raise ImproperlyConfigured(
        "PWM_ALLOWED_HOSTS is not set, and in production (PWM_DEBUG=0) it must be. "
        "Give the site's host names, separated by commas."
    )
# Threads of one process of the web server that take uploads in; pages have others.
PWM_WEB_UPLOADS = env.int("PWM_WEB_UPLOADS", default=2)
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("PWM_PROXIES", default=1 if PRODUCTION else 0)

# ---------------------------------------------------------------- what it is made of
INSTALLED_APPS = [
    "pwmsite",
    "gallery",
    "realdata",
    "leaderboards",
    "modalities",
    "pwmsite.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "rest_framework",
    "simple_history",
]
MIDDLEWARE = [
    "pwmsite.request_log.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "pwmsite.permissions_policy.deny_devices",
    "pwmsite.sound.NoNul",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "pwmsite.bodies.BodyLimit",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]
ROOT_URLCONF = "pwmsite.urls"
WSGI_APPLICATION = "pwmsite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
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
USE_TZ = True
TIME_ZONE = "UTC"  # what pages print, and when the day of a quota ends
LANGUAGE_CODE = "en"

# ---------------------------------------------------------------- what it keeps, and where
DATABASES = {
    "default": environment.database(
        env("PWM_DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'pwm.sqlite3'}")
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": environment.cache(env("PWM_CACHE_URL", default="locmem://"))}

STATIC_URL = "/static/"
STATIC_ROOT = Path(env("PWM_STATIC", default=str(VAR_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
# Objects and true mismatch of the tiers: for the scorer alone, never under MEDIA or STATIC.
TRUTH_DIR = Path(env("PWM_TRUTH", default=str(VAR_DIR / "truth")))
if RUNNER:
    TRUTH_DIR = VAR_DIR / "no-truth-for-runners"
# Measurements that people's programs are run on, for those who run them: nothing else lies there.
MEASUREMENTS_DIR = Path(env("PWM_MEASUREMENTS", default=str(VAR_DIR / "measurements")))
MEDIA_URL = "/media/"
# More answers than these tell an attacker the dev truth: docs/decisions/what-dev-tells.md.
PWM_DEV_SUBMISSIONS_A_DAY = env.int("PWM_DEV_SUBMISSIONS_A_DAY", default=2)
PWM_DEV_SUBMISSIONS_A_MONTH = env.int("PWM_DEV_SUBMISSIONS_A_MONTH", default=6)
PWM_DEV_UNCALIBRATED_A_MONTH = env.int("PWM_DEV_UNCALIBRATED_A_MONTH", default=1)
# What a person can send in 24 hours, to all tiers together.
PWM_UPLOADS_A_DAY = env.int("PWM_UPLOADS_A_DAY", default=200)
PWM_UPLOAD_MB_A_DAY = env.int("PWM_UPLOAD_MB_A_DAY", default=2000)
# Arrays of results that do not count and are not certified: leaderboards/keeping.py.
PWM_KEEP_ARRAYS_DAYS = env.int("PWM_KEEP_ARRAYS_DAYS", default=90)
PWM_CREDITS_AT_START = env.int("PWM_CREDITS_AT_START", default=100)
# Runs of programs that a person can ask for in 24 hours, and programs that are kept of a person.
PWM_HIDDEN_RUNS_A_DAY = env.int("PWM_HIDDEN_RUNS_A_DAY", default=5)
PWM_TRIAL_RUNS_A_DAY = env.int("PWM_TRIAL_RUNS_A_DAY", default=20)
PWM_SCRIPT_KB = env.int("PWM_SCRIPT_KB", default=1024)
PWM_IMAGE_MB = env.int("PWM_IMAGE_MB", default=512)
PWM_PROGRAMS_KEPT = env.int("PWM_PROGRAMS_KEPT", default=100)
PWM_PROGRAM_MB_KEPT = env.int("PWM_PROGRAM_MB_KEPT", default=4000)
# What is left of trials and of runs without a result goes so many days after their end.
PWM_KEEP_PROGRAMS_DAYS = env.int("PWM_KEEP_PROGRAMS_DAYS", default=30)
MEDIA_ROOT = VAR_DIR / "media"
# Uploads on their way; a killed process leaves them here, where they are swept.
FILE_UPLOAD_TEMP_DIR = environment.state_folder(VAR_DIR / "uploads")
# Names with a hash, compressed once: the web server collects the files when it starts. A developer
# and the tests get the plain ones, without collecting.
COLLECTED = PRODUCTION or env.bool("PWM_COLLECTED", default=False)
STORAGES = {
    "default": environment.storage(env("PWM_STORAGE", default=str(MEDIA_ROOT))),
    # Uploads, for their owner and the scorer: no URL leads here.
    "private": environment.storage(env("PWM_PRIVATE_STORAGE", default=str(VAR_DIR / "private"))),
    # People's programs, their outputs and logs: all that a runner writes.
    "runs": environment.storage(
        env("PWM_RUN_STORAGE", default=str(VAR_DIR / "runs")), "PWM_RUN_STORAGE"
    ),
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage",
        "OPTIONS": {"file_permissions_mode": 0o600},
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not COLLECTED

# ---------------------------------------------------------------- who may do what
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
_validation = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_validation}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_validation}.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": f"{_validation}.CommonPasswordValidator"},
    {"NAME": f"{_validation}.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "account"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_USERNAME_VALIDATORS = "pwmsite.account_names.VALIDATORS"
ACCOUNT_ADAPTER = "pwmsite.account_adapter.Adapter"
ACCOUNT_FORMS = {"signup": "pwmsite.sign_up.SignupForm"}
SENDS_MAIL = bool(env("PWM_EMAIL_URL", default=""))
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if SENDS_MAIL else "optional"
# With mail, an address that is known is a secret; without, it is refused on the page.
ACCOUNT_PREVENT_ENUMERATION = "strict" if SENDS_MAIL else True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[PWM] "
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if PRODUCTION else "http"
# The admin shows history and offers no button to restore an old version.
SIMPLE_HISTORY_REVERT_DISABLED = True
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "PWM"
# Admin, operations and the curators' desk ask for a second factor; at home a password is enough.
PWM_SECOND_FACTOR = PRODUCTION

# ---------------------------------------------------------------- security headers
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        # The hash is that of an empty style, which Plotly's bar of buttons sets.
        "style-src": [SELF, "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
# Browsers keep a preloaded domain for years, so its owner asks for that.
SECURE_HSTS_PRELOAD = env.bool("PWM_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True  # scripts read the token from the page
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
if PRODUCTION:  # browsers take these names over HTTPS only, and not from another subdomain
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"

# ---------------------------------------------------------------- the API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "pwmsite.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticatedOrReadOnly"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "modalities.pages.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    # The browsable pages need inline scripts, which the policy above forbids.
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_THROTTLE_CLASSES": [
        "pwmsite.api_limits.OfAnAddress",
        "pwmsite.api_limits.OfAPerson",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": env("PWM_API_RATE", default="600/min"),
        "user": env("PWM_API_RATE_USER", default="1200/min"),
    },
    "NUM_PROXIES": env.int("PWM_PROXIES", default=1 if PRODUCTION else 0),
    "PAGE_SIZE": 100,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "PWM",
    "DESCRIPTION": "Modalities, methods, leaderboards and gallery runs, as on the site's pages.",
    "VERSION": "1",
    "ENUM_NAME_OVERRIDES": {"ScoreTierEnum": "leaderboards.models.words.ScoreTier"},
    "SERVE_INCLUDE_SCHEMA": False,
}

# ---------------------------------------------------------------- work in the background
# The database row owns a job and the broker only notifies (modalities/jobs), so results are not
# kept here, and a message may be lost or come twice.
_broker = environment.broker(env("PWM_BROKER_URL", default="filesystem://"), VAR_DIR / "broker")
CELERY_BROKER_URL = _broker["url"]
CELERY_BROKER_TRANSPORT_OPTIONS = _broker["options"]
# The embedded broker keeps one unread message of a queue, so that who reads it sends the next.
PWM_BROKER_MERGES = _broker["url"].startswith("folder:")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # for ever: a worker waits for its broker
# RabbitMQ closes a channel that takes half an hour for a message; the job continues.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_DEFAULT_QUEUE = "gallery"
PWM_QUEUES = ("mail", "gallery", "scoring", "hidden", "programs")
# A worker serves all of these unless -Q says otherwise; a runner serves the last one alone.
CELERY_TASK_QUEUES = [Queue(name) for name in PWM_QUEUES if (name == "programs") == RUNNER]
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CONCURRENCY = env.int("PWM_WORKERS", default=len(os.sched_getaffinity(0)))
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat")
CELERY_BEAT_SCHEDULE = {"house": {"task": "pwmsite.tasks.keep_house", "schedule": 3600.0}}
CELERY_TIMEZONE = "UTC"
# What one run of somebody's program may use: leaderboards/sandbox.
PWM_RUN_LIMITS = {
    "wall_seconds": env.int("PWM_RUN_WALL_SECONDS", default=600),
    "cpu_seconds": env.int("PWM_RUN_CPU_SECONDS", default=600),
    "memory_bytes": env.int("PWM_RUN_MEMORY_MB", default=2048) << 20,
    "processes": env.int("PWM_RUN_PROCESSES", default=64),
    "output_bytes": env.int("PWM_RUN_OUTPUT_MB", default=64) << 20,
    "log_bytes": env.int("PWM_RUN_LOG_KB", default=1024) << 10,
    "work_bytes": env.int("PWM_RUN_WORK_MB", default=512) << 20,
    "files": env.int("PWM_RUN_FILES", default=10_000),
}
# A folder of cgroup v2 that was delegated to this site, for the groups of runs.
PWM_RUN_CGROUP = env("PWM_RUN_CGROUP", default="")
# What scripts run in: an interpreter and packages, copied from those of this site.
PWM_RUNTIME = Path(env("PWM_RUNTIME", default=str(VAR_DIR / "runtime")))
# A job whose worker has been silent for this long goes back to the queue.
PWM_LEASE_SECONDS = env.float("PWM_LEASE_SECONDS", default=30.0)
# May visitors who are not logged in start a gallery run? On your own machine they may.
PWM_OPEN_COMPUTE = env.bool("PWM_OPEN_COMPUTE", default=not PRODUCTION)

# ---------------------------------------------------------------- mail, logs, metrics
_mail = env.email_url_config(env("PWM_EMAIL_URL", default="") or "consolemail://")
globals().update(_mail)
# Workers hand the mails to the server; all others only queue them.
PWM_MAIL_BACKEND = _mail["EMAIL_BACKEND"]
EMAIL_BACKEND = "pwmsite.mail.Backend" if SENDS_MAIL else PWM_MAIL_BACKEND
EMAIL_TIMEOUT = 10
# Workers write the mails, with no request at hand that says where the site is.
PWM_SITE_URL = env(
    "PWM_SITE_URL", default=f"https://{ALLOWED_HOSTS[0]}" if PRODUCTION else "http://127.0.0.1:8000"
)
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env("PWM_MAIL_FROM", default="pwm@localhost")
LOGGING = logs.configure(as_json=PRODUCTION, level=env("PWM_LOG_LEVEL", default="INFO"))
# The token that Prometheus sends to read /metrics; without one there is no such page.
PWM_METRICS_TOKEN = env("PWM_METRICS_TOKEN", default="")
