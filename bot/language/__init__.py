"""Language: the spaCy pipeline, concept matching, the sentence encoder, the safety reader."""
