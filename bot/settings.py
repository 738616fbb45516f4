"""Everything that the environment may set, read in one place."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bot.errors import ConfigError

DEFAULT_PORT = 5005
DEFAULT_HOST = "127.0.0.1"
DEFAULT_STATE = Path(__file__).resolve().parents[1] / "var"
DEFAULT_CREDENTIALS = "credentials.yml"
TELEGRAM_API = "https://api.telegram.org"
DEFAULT_PROXIES = "127.0.0.0/8,::1"
DEFAULT_RETENTION_DAYS = 30
LOG_FORMATS = ("text", "json")
# A key that we check has at least so many characters, and so many different ones.
KEY_LENGTH, KEY_VARIETY = 32, 10


@dataclass(frozen=True)
class TelegramSettings:
    """The Telegram channel.

    Attributes:
        token: The bot's token from BotFather (TELEGRAM_BOT_TOKEN); without it the channel is off.
        api_url: Where the Bot API is (TELEGRAM_API_URL), for a Bot API server of one's own.
        webhook_url: Public address that Telegram calls (TELEGRAM_WEBHOOK_URL); None polls.
    """

    token: str = field(repr=False)
    api_url: str = TELEGRAM_API
    webhook_url: str | None = None


@dataclass(frozen=True)
class MatrixSettings:
    """The Matrix channel.

    Attributes:
        homeserver: Address of the home server (MATRIX_HOMESERVER); without it the channel is off.
        user: The bot's user id, such as @spasms:example.org (MATRIX_USER).
        password: Its password (MATRIX_PASSWORD), used once: afterwards the session is kept.
    """

    homeserver: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class WhatsAppSettings:
    """WhatsApp by Twilio.

    Attributes:
        account_sid: The account (TWILIO_ACCOUNT_SID); without it the channel is off.
        auth_token: Its secret, which also signs Twilio's requests (TWILIO_AUTH_TOKEN).
        number: The bot's sender, such as whatsapp:+441632960000 (TWILIO_WHATSAPP_NUMBER).
        webhook_url: The address that Twilio calls, exactly as set there (TWILIO_WEBHOOK_URL): it is signed too.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    number: str
    webhook_url: str


@dataclass(frozen=True)
class Settings:
    """The settings of one process.

    Attributes:
        host: Address that the bot listens on (HOST).
        port: Port that the bot listens on (PORT).
        actions_port: Port of the action server on loopback (ACTIONS_PORT); 0 takes a free one.
        country: Id of a country in emergency_numbers.yml, or None (COUNTRY).
        state_folder: Folder for conversations, or None for `var` (STATE_FOLDER).
        credentials: The file that lists the channels (CREDENTIALS).
        keep_texts: Whether messages that were not understood are kept, scrubbed, for 30 days (KEEP_TEXTS).
        telegram: The Telegram channel, or None when it is off.
        matrix: The Matrix channel, or None when it is off.
        whatsapp: WhatsApp by Twilio, or None when it is off.
        web_secret: Key that signs web sessions, or None for one kept in the state folder (WEB_SECRET).
        web_origins: Sites besides the bot's own that may embed the widget (WEB_ORIGINS).
        web_proxies: Addresses of reverse proxies whose X-Forwarded-For is believed (WEB_PROXIES).
        database_url: PostgreSQL for conversations and counts, or None for files in the state folder (DATABASE_URL).
        redis_url: Redis for what several processes share, or None for one process (REDIS_URL).
        retention_days: After how many days conversations are deleted; 0 keeps them in memory (RETENTION_DAYS).
        metrics_token: What /metrics and /version ask for, or None for this machine only (METRICS_TOKEN).
        log_format: How logs are written: text or json (LOG_FORMAT).
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    actions_port: int = 0
    country: str | None = None
    state_folder: str | None = None
    credentials: str = DEFAULT_CREDENTIALS
    keep_texts: bool = False
    telegram: TelegramSettings | None = None
    matrix: MatrixSettings | None = None
    whatsapp: WhatsAppSettings | None = None
    web_secret: str | None = field(default=None, repr=False)
    web_origins: tuple[str, ...] = ()
    web_proxies: tuple[str, ...] = ()
    database_url: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)
    retention_days: int = DEFAULT_RETENTION_DAYS
    metrics_token: str | None = field(default=None, repr=False)
    log_format: str = LOG_FORMATS[0]

    @property
    def state(self) -> Path:
        """Folder for everything that outlives a restart."""
        return Path(self.state_folder) if self.state_folder else DEFAULT_STATE

    @property
    def conversations_url(self) -> str:
        """Address of the database of conversations; `sqlite://` is memory."""
        if self.retention_days == 0:
            return "sqlite://"
        return self.database_url or f"sqlite:///{self.state / 'conversations.db'}"

    @property
    def feedback_url(self) -> str:
        """Address of the database of counts."""
        return self.database_url or f"sqlite:///{self.state / 'feedback.db'}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the bot."""
        return is_loopback(self.host)


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings.

    Raises:
        ConfigError: A value cannot be used.
    """
    return _consistent(
        Settings(
            host=environ.get("HOST") or DEFAULT_HOST,
            port=_port(environ, "PORT", DEFAULT_PORT),
            actions_port=_port(environ, "ACTIONS_PORT", 0),
            country=(environ.get("COUNTRY") or "").strip().lower() or None,
            state_folder=environ.get("STATE_FOLDER") or None,
            credentials=environ.get("CREDENTIALS") or DEFAULT_CREDENTIALS,
            keep_texts=_switch("KEEP_TEXTS", environ.get("KEEP_TEXTS") or "0"),
            telegram=_telegram(environ),
            matrix=_matrix(environ),
            whatsapp=_whatsapp(environ),
            web_secret=_key(environ, "WEB_SECRET"),
            web_origins=tuple(_origin(item) for item in _items(environ.get("WEB_ORIGINS") or "")),
            web_proxies=tuple(_network(item) for item in _items(environ.get("WEB_PROXIES") or DEFAULT_PROXIES)),
            database_url=_database(environ.get("DATABASE_URL") or ""),
            redis_url=_redis(environ.get("REDIS_URL") or ""),
            retention_days=_days(environ.get("RETENTION_DAYS") or str(DEFAULT_RETENTION_DAYS)),
            metrics_token=_key(environ, "METRICS_TOKEN"),
            log_format=_log_format(environ.get("LOG_FORMAT") or LOG_FORMATS[0]),
        )
    )


def _consistent(settings: Settings) -> Settings:
    if settings.retention_days == 0 and (settings.database_url or settings.redis_url):
        raise ConfigError(
            "RETENTION_DAYS is 0, which keeps conversations in the memory of one process, but DATABASE_URL or "
            "REDIS_URL is set, which several processes share. Unset these, or set RETENTION_DAYS to 1 or more."
        )
    return settings


def is_loopback(host: str) -> bool:
    """Tells whether an address reaches this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _telegram(environ: Mapping[str, str]) -> TelegramSettings | None:
    token = environ.get("TELEGRAM_BOT_TOKEN")
    if not token:
        return None
    api_url = (environ.get("TELEGRAM_API_URL") or TELEGRAM_API).rstrip("/")
    return TelegramSettings(token, api_url, environ.get("TELEGRAM_WEBHOOK_URL") or None)


def _matrix(environ: Mapping[str, str]) -> MatrixSettings | None:
    values = _together(environ, "MATRIX_HOMESERVER", "MATRIX_USER", "MATRIX_PASSWORD")
    return MatrixSettings(*values) if values else None


def _whatsapp(environ: Mapping[str, str]) -> WhatsAppSettings | None:
    names = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_WHATSAPP_NUMBER", "TWILIO_WEBHOOK_URL")
    values = _together(environ, *names)
    return WhatsAppSettings(*values) if values else None


def _together(environ: Mapping[str, str], switch: str, *others: str) -> list[str] | None:
    """Gives variables that belong together, or None when the first, which switches them on, is not set."""
    if not environ.get(switch):
        return None
    missing = [name for name in others if not environ.get(name)]
    if missing:
        raise ConfigError(
            f"{switch} is set, but {' and '.join(missing)} is not. Set what is missing, or unset {switch}."
        )
    return [environ[name] for name in (switch, *others)]


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _key(environ: Mapping[str, str], name: str) -> str | None:
    """Gives a key that whoever runs the bot chose, or None; a weak one is refused."""
    value = environ.get(name) or ""
    if value and (len(value) < KEY_LENGTH or len(set(value)) < KEY_VARIETY):
        raise ConfigError(
            f"{name} is too weak to keep anybody out. Use {KEY_LENGTH} random characters or more, for example from "
            "`python3 -c 'import secrets; print(secrets.token_hex(32))'`."
        )
    return value or None


def _log_format(value: str) -> str:
    if value not in LOG_FORMATS:
        raise ConfigError(f"LOG_FORMAT is '{value}', but it can only be {' or '.join(LOG_FORMATS)}.")
    return value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or value != f"{parts.scheme}://{parts.netloc}":
        raise ConfigError(
            f"WEB_ORIGINS has '{value}', which is no origin. Write each as https://host or https://host:port, without "
            "a path or a final slash, separated by commas."
        )
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError as error:
        raise ConfigError(f"WEB_PROXIES has '{value}', which is no IP address or network.") from error


def _switch(name: str, value: str) -> bool:
    if value not in ("0", "1"):
        raise ConfigError(f"{name} is '{value}', but it is switched on with 1 and off with 0. Set it to one of them.")
    return value == "1"


def _database(value: str) -> str | None:
    scheme, rest = _address("DATABASE_URL", value, ("postgresql", "postgres"), "postgresql://user:password@host/name")
    return f"postgresql://{rest}" if scheme else None


def _redis(value: str) -> str | None:
    _address("REDIS_URL", value, ("redis", "rediss", "unix"), "redis://:password@host:6379/0")
    return value or None


def _address(name: str, value: str, schemes: tuple[str, ...], example: str) -> tuple[str, str]:
    """Gives scheme and rest of an address, both empty if there is none; faults are told without its password."""
    scheme, _, rest = value.partition("://")
    try:
        port = urlsplit(value).port
    except ValueError:
        port = -1
    if value and (scheme not in schemes or not rest or port == -1):
        raise ConfigError(f"{name} is no address that can be used here. Write it like {example}.")
    return (scheme, rest) if value else ("", "")


def _days(value: str) -> int:
    if not value.isdigit() or int(value) > 3650:
        raise ConfigError(
            f"RETENTION_DAYS is '{value}', but it is a number of days from 0 to 3650. 0 keeps nothing on disk."
        )
    return int(value)


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isdigit() or int(value) > 65535:
        raise ConfigError(f"{name} is '{value}', but a port is a number from 0 to 65535. Set {name} to a free port.")
    return int(value)
