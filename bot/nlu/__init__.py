"""Rasa graph components: thin adapters over bot.language and bot.core, one a file, no medical words."""
