"""Everything that the environment may set, read in one place."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass

from bot.errors import ConfigError

DEFAULT_PORT = 5005
DEFAULT_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Settings:
    """The settings of one process.

    Attributes:
        host: Address that the bot listens on (HOST).
        port: Port that the bot listens on (PORT).
        actions_port: Port of the action server on loopback (ACTIONS_PORT); 0 takes a free one.
        country: Id of a country in emergency_numbers.yml, or None (COUNTRY).
        state_folder: Folder for conversations, or None for `var` (STATE_FOLDER).
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    actions_port: int = 0
    country: str | None = None
    state_folder: str | None = None

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
    )


def is_loopback(host: str) -> bool:
    """Tells whether an address reaches this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isdigit() or int(value) > 65535:
        raise ConfigError(f"{name} is '{value}', but a port is a number from 0 to 65535. Set {name} to a free port.")
    return int(value)
