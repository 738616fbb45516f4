"""The medical content as data, its schema and its loader."""
