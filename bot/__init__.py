"""A chat assistant about muscle spasms: knowledge, language, core, Rasa components and channels."""
