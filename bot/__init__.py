"""A chat assistant about muscle spasms: knowledge, language, core, Rasa components and channels."""

__version__ = "0.1.0"
