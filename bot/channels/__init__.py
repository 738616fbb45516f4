"""Channels: one file each. They render answers and own no content."""
