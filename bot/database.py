"""Opens the databases: SQLite files, memory, or PostgreSQL, with the settings that a server needs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from sqlalchemy import MetaData, create_engine, event, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from bot.errors import ConfigError

MEMORY = "sqlite://"
# The write-ahead log lets readers and the writer work at once. `normal` leaves out a wait for the disk at each
# turn: after a power cut the last turn may be missing, but nothing is ever half-written. What is deleted is
# overwritten.
PRAGMAS = ("journal_mode=wal", "synchronous=normal", "busy_timeout=5000", "secure_delete=on")
CONNECT_SECONDS, STATEMENT_SECONDS = 3, 5
# Connections of one process: its turns share one core, so more would only wait.
CONNECTIONS = 8
# Processes that start together make the tables one after another.
_MAKING_TABLES = 4_310_559


@event.listens_for(Engine, "connect")
def set_up_sqlite(connection: Any, _: Any) -> None:
    """Sets the pragmas on each new SQLite connection."""
    if isinstance(connection, sqlite3.Connection):
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def open_engine(url: str) -> Engine:
    """Gives the engine of a database.

    Connections are kept: SQLAlchemy would open an SQLite file anew for each transaction, and closing the last one makes
    SQLite write its whole log back, which took longer than all statements of a turn. Errors quote no values of
    statements, which would be people's words.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        # Memory belongs to its one connection, which threads then take in turn.
        alone: dict[str, Any] = {} if parsed.database else {"pool_size": 1, "max_overflow": 0}
        return create_engine(
            parsed, poolclass=QueuePool, connect_args={"check_same_thread": False}, hide_parameters=True, **alone
        )
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "muscle-spasm-assistant",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    if "options" not in parsed.query:
        options["options"] = f"-c statement_timeout={STATEMENT_SECONDS * 1000}"
    return create_engine(
        parsed,
        connect_args=options,
        pool_pre_ping=True,  # a database that was started again is noticed before a turn fails
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=STATEMENT_SECONDS,
        hide_parameters=True,
    )


def make_tables(engine: Engine, tables: MetaData, statements: Iterable[str] = ()) -> None:
    """Makes the tables that are missing, then runs more statements that do no harm when repeated."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _MAKING_TABLES})
        tables.create_all(connection)
        for statement in statements:
            connection.execute(text(statement))


def overwrite_log(engine: Engine) -> None:
    """Empties SQLite's log, which still holds what was deleted from the file."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


def check_database(url: str) -> None:
    """Checks that a database answers.

    Raises:
        ConfigError: It does not; the message says why, without the password.
    """
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1"))
    except SQLAlchemyError as error:
        reason = (str(getattr(error, "orig", error)).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"The database of DATABASE_URL ({engine.url!r}) cannot be used: {reason}. Start it, correct DATABASE_URL, "
            "or unset it to keep conversations in a file of STATE_FOLDER."
        ) from error
    finally:
        engine.dispose()
