"""The benchmark against Rasa's default pipeline (`make bench`)."""
