"""The numbers to call, by country."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from bot.errors import ConfigError
from bot.knowledge.safety import Country, load_safety

UNKNOWN = "any"


@dataclass(frozen=True)
class Numbers:
    """What to write for the placeholders of safety texts.

    Attributes:
        emergency_number: The emergency number as it reads in a sentence.
        crisis_line: The crisis lines as they read in a sentence.
        urgent_care: Where to ask for help the same day.
        tel: The number behind a "Call now" button, without spaces.
    """

    emergency_number: str
    crisis_line: str
    urgent_care: str
    tel: str


def countries() -> tuple[Country, ...]:
    """Gives the countries whose numbers are known, in the order of the file."""
    return tuple(row for row in load_safety().countries if row.id != UNKNOWN)


@lru_cache(maxsize=64)
def numbers(country: str | None) -> Numbers:
    """Gives the numbers of a country, or the texts for an unknown one.

    Raises:
        ConfigError: The country is not in emergency_numbers.yml.
    """
    table = {row.id: row for row in load_safety().countries}
    row: Country | None = table.get(country or UNKNOWN)
    if row is None:
        known = ", ".join(sorted(name for name in table if name != UNKNOWN))
        raise ConfigError(f"COUNTRY is '{country}', which has no numbers. Use one of: {known}; or leave it out.")
    return Numbers(row.emergency, "; ".join(row.crisis), row.urgent, row.tel)
