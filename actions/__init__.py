"""Custom actions: thin adapters from Rasa's tracker to bot.core and back."""
