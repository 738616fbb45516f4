"""The errors that stop the bot from starting; each message is one paragraph that says what to do."""

from __future__ import annotations


class BotError(Exception):
    """Something that whoever runs the bot can put right; the message tells how."""


class KnowledgeError(BotError):
    """The knowledge base has faults; the message lists all of them."""


class EncoderError(BotError):
    """The sentence encoder's weights are missing or not the expected ones."""


class ConfigError(BotError):
    """A setting in the environment or a configuration file cannot be used."""


class ModelError(BotError):
    """The trained model is missing, damaged or made by other versions."""
