"""Demonstration with a temporary MongoDB server, a simulated dashboard and the real daemon process.

The demo prints what the daemon writes to the database. It uses only the server it started; MONGODB_URI is ignored.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo, die_with_parent, free_port, wait_for
from daemon.demo.simulator import Dashboard
from daemon.mongo.collections import CHECKPOINT
from daemon.mongo.types import Database, Document
from daemon.store.checkpoint import CHECKPOINT_ID
from rules import business_days as days
from rules.rows.daily_note import style
from rules.settings.settings import Settings
from rules.text import one_line

DATABASE = "chatello_demo"
HISTORY_DAYS = 21
STEP_SECONDS = 0.5
TABLE_SECONDS = 10.0
TOUCHES_PER_STEP = 200
"""Updates of `last_check` per step: most writes of a real dashboard, all irrelevant to the daemon."""

WIDTH = 140
NOTE_LENGTH = 1000


class Demo:
    """One demo on a new server. `seconds` None: until Ctrl-C."""

    def __init__(self, seconds: float | None, seed: int) -> None:
        self.seconds = seconds
        self.console = Console(width=None if sys.stdout.isatty() else WIDTH, soft_wrap=False, highlight=False)
        self.rng = Random(seed)
        self.stop = threading.Event()
        self.zone = Settings().zone
        self.port = free_port()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Run the demo; raises EmbeddedUnavailable if no mongod can run, RuntimeError if the daemon exits."""
        self._print_line("starting a temporary MongoDB replica set ...")
        client: MongoClient[Document]
        with EmbeddedMongo() as mongo, MongoClient(mongo.uri, tz_aware=True) as client:
            db: Database = client[DATABASE]
            dashboard = Dashboard(db, self.rng)
            self._print_line(f"simulating the dashboard of the last {HISTORY_DAYS} days ...")
            today = days.stored(days.business_day(clock.now(), self.zone))
            dashboard.set_up(today - timedelta(days=HISTORY_DAYS))
            dashboard.create_history(today - timedelta(days=HISTORY_DAYS), today)
            with _daemon(mongo.uri, mongo.folder / "daemon.log", self.port) as process:
                self._run_shop(db, dashboard, process)
            self._show_table(db, days=14)
            self._show_totals(db)

    def _run_shop(self, db: Database, dashboard: Dashboard, process: subprocess.Popen[bytes]) -> None:
        wait_for(lambda: _is_bootstrapped(db) or process.poll() is not None, "the daemon to bootstrap", 60)
        self._print_line(f"the daemon has bootstrapped; its page: http://127.0.0.1:{self.port}/analytics")
        self._print_line("each line below is an event that the daemon recorded:\n")
        printer = threading.Thread(target=self._guarded, args=(self._print_events, db), daemon=True)
        printer.start()
        began = clock.monotonic()
        last_table = began
        with suppress(KeyboardInterrupt):
            while self._continues(began, process):
                dashboard.step(clock.now())
                dashboard.touch(TOUCHES_PER_STEP, clock.now())
                if clock.monotonic() - last_table > TABLE_SECONDS:
                    self._show_table(db, days=5)
                    last_table = clock.monotonic()
                self.stop.wait(STEP_SECONDS)
            wait_for(lambda: _row_is_current(db), "today's row to catch up", 20)
        self.stop.set()
        printer.join(5)

    def _continues(self, began: float, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"the daemon exited with status {process.returncode}")
        if self.error is not None:
            raise self.error
        return self.seconds is None or clock.monotonic() - began < self.seconds

    def _guarded(self, work: Any, db: Database) -> None:
        try:
            work(db)
        except PyMongoError as error:
            if not self.stop.is_set():
                self.error = error

    def _print_events(self, db: Database) -> None:
        inserted = [{"$match": {"operationType": "insert"}}]
        with db.business_events.watch(inserted, max_await_time_ms=500) as stream:
            while not self.stop.is_set():
                change = stream.try_next()
                if change is not None:
                    self._print(change["fullDocument"])

    def _print(self, event: Document) -> None:
        time = event["event_date"].astimezone(self.zone)
        event_style = style(event["event_type"], Settings())
        self.console.print(Text(f"  {time:%H:%M:%S}  {event_style.emoji} {one_line(event['description'])}"))

    def _show_table(self, db: Database, days: int) -> None:
        table = Table(title="historical_analytics", title_justify="left", expand=False)
        for name in ("Data", "Clienti Totali", "Clienti Paganti", "MRR"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("Note", overflow="fold")
        rows = list(db.historical_analytics.find({"period_type": "daily"}).sort("date", -1).limit(days))
        for row in reversed(rows):
            table.add_row(
                f"{row['date']:%d/%m/%Y}",
                str(row["total_customers"]),
                str(row["paying_customers"]),
                f"€{row['mrr']:.2f}",
                Text(one_line(row["notes"], NOTE_LENGTH)),
            )
        self.console.print("\n", table, "\n")

    def _show_totals(self, db: Database) -> None:
        checkpoint = _checkpoint(db)
        totals = checkpoint["totals"]
        ledger = list(db.analytics_ledger.aggregate([{"$group": {"_id": None, "mrr": {"$sum": "$mrr_cents"}}}]))
        self._print_line(
            f"ledger: {checkpoint['seq']} movements, MRR €{ledger[0]['mrr'] / 100:.2f}; "
            f"running totals: MRR €{totals['mrr_cents'] / 100:.2f}; "
            f"events: {db.business_events.count_documents({})}"
        )

    def _print_line(self, text: str) -> None:
        self.console.print(Text(text))


@contextmanager
def _daemon(uri: str, log: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the real daemon on the demo's server; its log file is deleted with the server's data."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CHATELLO_", "MONGODB_"))}
    environment = {
        **clean,
        "MONGODB_URI": uri,
        "MONGODB_DATABASE": DATABASE,
        "CHATELLO_HTTP__PORT": str(port),
        "CHATELLO_TIME__LIVE_ROW_SECONDS": "2",
        "CHATELLO_STREAM__AWAIT_SECONDS": "1",
    }
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "daemon", "run"],
            env=environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid()),
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(15)


def _checkpoint(db: Database) -> Document:
    return db[CHECKPOINT].find_one({"_id": CHECKPOINT_ID}) or {}


def _is_bootstrapped(db: Database) -> bool:
    checkpoint = _checkpoint(db)
    return "cluster_time" in checkpoint and checkpoint["cluster_time"] is not None


def _row_is_current(db: Database) -> bool:
    """Whether today's row has the MRR of the running totals."""
    row = db.historical_analytics.find_one({"final": False}, sort=[("date", -1)])
    totals = _checkpoint(db)["totals"]
    return row is not None and round(row["mrr"] * 100) == totals["mrr_cents"]


def run_demo(seconds: float | None, seed: int | None, now: datetime) -> None:
    """Run the demo; the same seed creates the same shop. Raises the errors of Demo.run."""
    Demo(seconds, seed if seed is not None else now.toordinal()).run()
