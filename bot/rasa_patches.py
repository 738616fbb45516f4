"""Changes to Rasa 3.6.21 that a setting cannot make; each says what it changes and why.

Applied by `bot.rasa_cli` before anything else of Rasa runs.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import lru_cache, partial, wraps
from graphlib import TopologicalSorter
from typing import Any

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, TCPConnector
from rasa import server
from rasa.core import run
from rasa.core.actions import action
from rasa.core.actions.action import RemoteAction
from rasa.core.channels.channel import UserMessage
from rasa.core.processor import MessageProcessor
from rasa.engine.exceptions import GraphRunError
from rasa.engine.graph import GraphNode
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.engine.storage.storage import ModelMetadata
from rasa.shared.core.events import Event
from rasa.utils.endpoints import EndpointConfig
from sanic import Sanic

from bot import discretion, prefork
from bot.channels.fairness import AT_ONCE
from bot.channels.guard import protect
from bot.language.encoder import load_networks
from bot.settings import read_settings

# An action takes milliseconds. Beyond TRY_SECONDS its server hangs; within ASK_SECONDS another has taken its place.
TRY_SECONDS, ASK_SECONDS, PAUSE_SECONDS = 2.0, 7.0, 0.1
# Shorter than the 5 seconds after which the action server closes a connection, so that none is used as it closes.
KEPT_SECONDS = 2.0


def _trust_action_result(self: RemoteAction, result: dict[str, Any]) -> bool:
    """Takes the action server's answer without comparing it with a JSON schema.

    It is our own server, on loopback, and the check was the largest single cost of a turn. An answer that cannot be
    read still fails the turn, and the person is told.
    """
    return True


def _kept_session(self: EndpointConfig) -> AbstractAsyncContextManager[ClientSession]:
    """Lends one client session again and again; Rasa opens a session and a connection for every action."""
    session: ClientSession | None = self.__dict__.get("kept_session")
    if session is None or session.closed:
        session = ClientSession(
            connector=TCPConnector(keepalive_timeout=KEPT_SECONDS),
            headers=self.headers,
            timeout=ClientTimeout(total=TRY_SECONDS),
        )
        self.__dict__["kept_session"] = session
    return nullcontext(session)


_request = EndpointConfig.request


async def _ask_again(self: EndpointConfig, *args: Any, **kwargs: Any) -> Any:
    """Asks again while the action server hangs or restarts; actions only compute, so asking twice does no harm."""
    until = time.monotonic() + ASK_SECONDS
    while True:
        try:
            return await _request(self, *args, **kwargs)
        except (ClientConnectionError, asyncio.TimeoutError):
            if time.monotonic() + PAUSE_SECONDS > until:
                raise
            await asyncio.sleep(PAUSE_SECONDS)


_configure_app = run.configure_app


def _protected_app(*args: Any, **kwargs: Any) -> Sanic:
    """Makes the web server with our protection around its routes."""
    app = _configure_app(*args, **kwargs)
    protect(app, read_settings())
    return app


# Longer messages than people type are read by a thread of their own: they take up to seconds.
LONG_CHARS = 400
_readers, _reader_of_long = ThreadPoolExecutor(AT_ONCE, "reading"), ThreadPoolExecutor(1, "reading-long")
_parse_message = MessageProcessor.parse_message
# How long Python lets a reader go on while the loop has something to do; its own 5 ms are a quarter of a turn.
SWITCH_SECONDS = 0.001


async def _parse_aside(self: MessageProcessor, message: UserMessage, *args: Any, **kwargs: Any) -> Any:
    """Reads a message in another thread: the encoders compute outside Python's lock, so others' turns go on meanwhile.

    Whoever writes a short message hardly waits for those who write long ones.
    """
    readers = _readers if len(message.text or "") <= LONG_CHARS else _reader_of_long
    parsed = _parse_message(self, message, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(readers, _finish, parsed)


def _finish(parsed: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine that never waits, without a loop."""
    try:
        parsed.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("reading a message waited for something")


Step = tuple[str, GraphNode, tuple[str, ...]]


def _run_in_order(
    self: DaskGraphRunner, inputs: Mapping[str, Any] | None = None, targets: Sequence[str] | None = None
) -> dict[str, Any]:
    """Runs the graph's components one after another, in an order that is worked out once.

    Rasa asks Dask to plan and schedule the same few components anew at each run, two runs a turn.
    """
    names = tuple(targets or self._graph_schema.target_names)
    orders: dict[tuple[str, ...], list[Step]] = self.__dict__.setdefault("orders", {})
    if names not in orders:
        orders[names] = _order(self, names)
    done = {name: (name, value) for name, value in (inputs or {}).items()}
    try:
        for name, node, needed in orders[names]:
            done[name] = node(*(done.get(each, each) for each in needed))
    except RuntimeError as error:
        raise GraphRunError("Error running runner.") from error
    return dict(done[name] for name in names)


def _order(self: DaskGraphRunner, names: Sequence[str]) -> list[Step]:
    graph = self._build_dask_graph(self._graph_schema.minimal_graph_schema(list(names)))
    needs = {name: needed for name, (_, *needed) in graph.items()}
    sorted_names = TopologicalSorter(needs).static_order()
    return [(name, graph[name][0], tuple(needs[name])) for name in sorted_names if name in graph]


_read_metadata = ModelMetadata.from_dict


def _without_training(serialized: dict[str, Any]) -> ModelMetadata:
    """Reads a model's metadata without the steps of its training, which nothing uses afterwards.

    One of them is Rasa's validator, and importing that takes in all of Rasa's neural networks and TensorFlow.
    """
    return _read_metadata({**serialized, "train_schema": {"nodes": {}}})


_serve_application = run.serve_application


@wraps(_serve_application)
def _serve_in_copies(model_path: str, *args: Any, **kwargs: Any) -> None:
    """Loads the model, then serves in a copy of this process; the copy finds the model loaded."""
    MessageProcessor._load_model(model_path)
    prefork.serve(partial(_serve_application, model_path, *args, **kwargs))


_load_agent = run.load_agent_on_start


async def _load_and_settle(*args: Any) -> Any:
    """Loads what a copy must load itself, then takes what is there out of the garbage collector's sight.

    A full collection looks at every object of Rasa, spaCy and the model, and the person waits for it. From here on
    others' words are kept out of the log; before, faults are told in full: nobody has said anything yet.
    """
    agent = await _load_agent(*args)
    load_networks()
    gc.collect()
    gc.freeze()
    discretion.install()
    return agent


def apply() -> None:
    """Puts the changes in place."""
    ModelMetadata.from_dict = _without_training
    RemoteAction._validate_action_result = _trust_action_result
    EndpointConfig.session = _kept_session
    # Else all kinds of events are collected anew for each event that is read: a twentieth of a turn.
    Event.resolve_by_type = staticmethod(lru_cache(Event.resolve_by_type))
    DaskGraphRunner.run = _run_in_order
    MessageProcessor._load_model = staticmethod(lru_cache(maxsize=1)(MessageProcessor._load_model))
    run.serve_application = _serve_in_copies
    run.load_agent_on_start = _load_and_settle
    EndpointConfig.request = _ask_again
    MessageProcessor.parse_message = _parse_aside
    sys.setswitchinterval(SWITCH_SECONDS)
    action.DEFAULT_REQUEST_TIMEOUT = TRY_SECONDS  # else five minutes
    run.configure_app = _protected_app
    server.add_root_route = lambda app: None  # it tells everybody Rasa's version
