"""What is counted, for Prometheus: numbers only; nobody's words, no ids of people or conversations.

Every label's values come from the project's own files, so that no visitor can make up new ones. When
PROMETHEUS_MULTIPROC_DIR names a folder, all processes that share it count together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from prometheus_client import REGISTRY as THIS_PROCESS
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

disable_created_metrics()  # when a label was first seen helps nobody
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
# What a turn gives when it has no reply; the other kinds are the contract's.
FAILURE, OTHER = "failure", "other"
KINDS = frozenset(
    (
        *("answer", "clarify", "safety_check", "emergency", "urgent", "crisis", "decline", "source", "summary"),
        *("smalltalk", "handoff", "fallback", FAILURE),
    )
)

_TURNS = Counter("bot_turns", "Turns by channel and kind of reply", ["channel", "kind"])
_SECONDS = Histogram(
    "bot_turn_seconds",
    "Time from a message to its reply",
    ["channel"],
    buckets=(0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
_RULES = Counter("bot_rules_fired", "Replies chosen by a rule of the screen or a safety question", ["rule"])
_FAILURES = Counter("bot_turn_failures", "Turns in which something failed, by cause", ["channel", "cause"])
_REFUSED = Counter("bot_requests_refused", "Requests that a limit refused", ["limit"])
_BUILD = Gauge(
    "bot_build", "Versions that run", ["bot", "rasa", "model", "knowledge"], multiprocess_mode="livemostrecent"
)
UNDER_WAY = Gauge("bot_turns_under_way", "Turns that wait or run", multiprocess_mode="livesum")


def count_turn(channel: str, seconds: float, custom: Mapping[str, Any], cause: str | None) -> None:
    """Counts a turn by its reply's `custom` object; `cause` says why it failed, None when it did not."""
    kind = str(custom.get("kind"))
    _TURNS.labels(channel, kind if kind in KINDS else OTHER).inc()
    _SECONDS.labels(channel).observe(seconds)
    if cause:
        _FAILURES.labels(channel, cause).inc()
    if custom.get("rule"):
        _RULES.labels(str(custom["rule"])).inc()


def count_refusal(limit: str) -> None:
    """Counts a request that a limit refused."""
    _REFUSED.labels(limit).inc()


def set_build(versions: Mapping[str, str]) -> None:
    """Tells which versions run."""
    _BUILD.clear()
    _BUILD.labels(**versions).set(1)


def exposition() -> bytes:
    """Gives all metrics in Prometheus's text format."""
    if not os.environ.get(MULTIPROCESS):
        return generate_latest(THIS_PROCESS)
    together = CollectorRegistry()
    multiprocess.MultiProcessCollector(together)
    return generate_latest(together)
