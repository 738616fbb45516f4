"""The logic as pure functions: no Rasa, no spaCy, no network, no clock, no random."""
