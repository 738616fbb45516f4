"""Everything that the environment may set, read in one place."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bot.errors import ConfigError

DEFAULT_PORT = 5005
DEFAULT_HOST = "127.0.0.1"
DEFAULT_STATE = Path(__file__).resolve().parents[1] / "var"
DEFAULT_PROXIES = "127.0.0.0/8,::1"


@dataclass(frozen=True)
class Settings:
    """The settings of one process.

    Attributes:
        host: Address that the bot listens on (HOST).
        port: Port that the bot listens on (PORT).
        actions_port: Port of the action server on loopback (ACTIONS_PORT); 0 takes a free one.
        country: Id of a country in emergency_numbers.yml, or None (COUNTRY).
        state_folder: Folder for conversations, or None for `var` (STATE_FOLDER).
        web_secret: Key that signs web sessions, or None for one kept in the state folder (WEB_SECRET).
        web_origins: Sites besides the bot's own that may embed the widget (WEB_ORIGINS).
        web_proxies: Addresses of reverse proxies whose X-Forwarded-For is believed (WEB_PROXIES).
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    actions_port: int = 0
    country: str | None = None
    state_folder: str | None = None
    web_secret: str | None = None
    web_origins: tuple[str, ...] = ()
    web_proxies: tuple[str, ...] = ()

    @property
    def state(self) -> Path:
        """Folder for everything that outlives a restart."""
        return Path(self.state_folder) if self.state_folder else DEFAULT_STATE

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the bot."""
        return is_loopback(self.host)


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings.

    Raises:
        ConfigError: A value cannot be used.
    """
    return Settings(
        host=environ.get("HOST") or DEFAULT_HOST,
        port=_port(environ, "PORT", DEFAULT_PORT),
        actions_port=_port(environ, "ACTIONS_PORT", 0),
        country=(environ.get("COUNTRY") or "").strip().lower() or None,
        state_folder=environ.get("STATE_FOLDER") or None,
        web_secret=_secret(environ.get("WEB_SECRET") or ""),
        web_origins=tuple(_origin(item) for item in _items(environ.get("WEB_ORIGINS") or "")),
        web_proxies=tuple(_network(item) for item in _items(environ.get("WEB_PROXIES") or DEFAULT_PROXIES)),
    )


def is_loopback(host: str) -> bool:
    """Tells whether an address reaches this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _secret(value: str) -> str | None:
    if value and len(value) < 32:
        raise ConfigError("WEB_SECRET is too short to keep sessions safe. Use 32 random characters or more.")
    return value or None


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


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isdigit() or int(value) > 65535:
        raise ConfigError(f"{name} is '{value}', but a port is a number from 0 to 65535. Set {name} to a free port.")
    return int(value)
