"""Corrections of Rasa 3.6.21 that a setting cannot make; each says what it changes and why.

Applied by `bot.rasa_cli` before anything else of Rasa runs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from rasa.core.actions.action import RemoteAction


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    return Draft202012Validator(RemoteAction.action_response_format_spec())


def _validate_action_result(self: RemoteAction, result: dict[str, Any]) -> bool:
    """Checks an action server's answer against Rasa's own schema.

    Rasa checks the schema itself anew at every answer, the largest single cost of a turn. The schema never
    changes, so it is prepared once.

    Raises:
        ValidationError: The answer is not in Rasa's format.
    """
    _validator().validate(result)
    return True


def apply() -> None:
    """Puts the corrections in place."""
    RemoteAction._validate_action_result = _validate_action_result
