"""Write `format_1.json.gz`: a database as the last program with format 1 left it. Run once, see README.md.

A replica set, the old daemon and this script run on one shifted clock (libfaketime), which jumps from day to day while
the daemon is stopped. So the old program itself followed every write and closed every row.
"""

import gzip
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from bson import Binary, ObjectId, json_util
from pymongo import MongoClient

from daemon import clock
from daemon.demo.embedded_mongo import EmbeddedMongo, free_port, wait_for
from daemon.mongo.types import Database

DUMP = Path(__file__).with_name("format_1.json.gz")
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
SLEEP = "import select, time; time.sleep = lambda seconds: select.select([], [], [], seconds)"
"""libfaketime lets clock_nanosleep, which Python's sleep calls, fail."""
NAME = "chatello"
FIRST_DAY = datetime(2026, 10, 29, 9, tzinfo=UTC)
PRICES = {"starter": 2.99, "pro": 7.99, "agency": 19.99, "founders": 29.0, "free": 0.0, "yearly": 99.99}


class Story:
    """The shop, and the old daemon beside it."""

    def __init__(self, uri: str, old: Path, pythonpath: str, clock_file: Path) -> None:
        self.db: Database = MongoClient(uri, tz_aware=True)[NAME]
        self.old = old
        self.clock_file = clock_file
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{old}:{pythonpath}",
            "MONGODB_URI": uri,
            "MONGODB_DATABASE": NAME,
            "CHATELLO_HTTP__PORT": str(free_port()),
            "CHATELLO_STREAM__AWAIT_SECONDS": "0.5",
            "CHATELLO_STREAM__CHECKPOINT_SECONDS": "1",
        }
        self.plans: dict[str, Any] = {}

    def jump_to(self, at: datetime) -> None:
        """Move the clock of all processes."""
        # faketime subtracts the offset from the real time, which this process does not see: it adds the difference
        offset = int(self.clock_file.read_text()) + round((at - clock.now()).total_seconds())
        self.clock_file.write_text(f"{offset:+d}")
        wait_for(lambda: abs((clock.now() - at).total_seconds()) < 60, f"the clock to show {at}")

    def command(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "daemon", *arguments]
        subprocess.run(command, cwd=self.old, env=self.environment, check=True)

    @contextmanager
    def daemon(self) -> Iterator[None]:
        """Run the old daemon; stop it after it has followed everything and written the rows that are due."""
        began = clock.now()
        process = subprocess.Popen([sys.executable, "-m", "daemon", "run"], cwd=self.old, env=self.environment)
        try:
            wait_for(lambda: self._position() > began and self._is_following(), "the daemon to follow", 60)
            wait_for(lambda: not self._due(), "the rows of the past days", 60)
            yield
            self.settle()
        finally:
            process.terminate()
            process.wait(30)

    def settle(self) -> None:
        """Wait until the daemon has followed the writes up to now."""
        now = clock.now() + timedelta(seconds=1)
        wait_for(lambda: self._position() > now, "the daemon to catch up", 60)
        time.sleep(1)

    def _checkpoint(self) -> dict[str, Any]:
        return self.db.analytics_checkpoint.find_one({"_id": "checkpoint"}) or {}

    def _position(self) -> datetime:
        at = self._checkpoint().get("cluster_time")
        return at.as_datetime() if at else datetime.min.replace(tzinfo=UTC)

    def _is_following(self) -> bool:
        return self._checkpoint().get("reconciling") is None

    def _due(self) -> bool:
        """Return whether the row of yesterday is missing; the day of the first start has none before it."""
        yesterday = (clock.now() - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        first = self.db.analytics_ledger.find_one(sort=[("_id", 1)])
        wanted = first is not None and first["day"] <= yesterday
        return wanted and not self.db.historical_analytics.find_one({"date": yesterday, "final": True})

    # -- the dashboard ------------------------------------------------------------------------------------------

    def make_plans(self) -> None:
        for name, price in PRICES.items():
            plan = {"name": name, "display_name": name.capitalize(), "price": price, "currency": "EUR"}
            plan |= {"is_lifetime": name == "founders", "lifetime_limit": 500 if name == "founders" else None}
            plan |= {"billing_period": "year"} if name == "yearly" else {}
            self.plans[name] = self.db.plans.insert_one(plan).inserted_id

    def customer(self, name: str, customer_id: Any = None) -> Any:
        document = {"name": name, "email": f"{name.lower().replace(' ', '.')}@example.com", "created_at": clock.now()}
        if customer_id is not None:
            document = {"_id": customer_id, **document}
        return self.db.customers.insert_one(document).inserted_id

    def license(self, customer_id: Any, plan: str, **more: Any) -> Any:
        document = {
            "license_key": f"CHA-{str(ObjectId()).upper()}",
            "customer_id": customer_id,
            "plan_id": self.plans.get(plan, plan),
            "status": "active",
            "expires_at": None,
            "created_at": clock.now(),
            **more,
        }
        return self.db.licenses.insert_one(document).inserted_id

    def change(self, license_id: Any, **fields: Any) -> None:
        self.db.licenses.update_one({"_id": license_id}, {"$set": fields})

    def payment(self, license_id: Any, amount: float, status: str, transaction: Any) -> Any:
        owner = found(self.db.licenses, {"_id": license_id})["customer_id"]
        document = {"customer_id": owner, "license_id": license_id, "amount": amount, "currency": "EUR"}
        document |= {"status": status, "transaction_id": transaction, "created_at": clock.now()}
        return self.db.payments.insert_one(document).inserted_id

    def external(self, event_type: str, description: str, **more: Any) -> None:
        event = {"event_type": event_type, "event_date": clock.now(), "description": description}
        event |= {"auto_generated": True, "metadata": {}, "processed": False, "created_at": clock.now(), **more}
        self.db.business_events.insert_one(event)

    def annotate(self, day: int, month: int, notes: str) -> None:
        """A person edits the notes of a closed row in the dashboard."""
        found = {"date": datetime(2026, month, day, tzinfo=UTC), "period_type": "daily"}
        assert self.db.historical_analytics.update_one(found, {"$set": {"notes": notes}}).matched_count == 1


def first_day(story: Story) -> None:
    """Thursday: opening balance, sales of every kind, ids of several types."""
    story.make_plans()
    before = story.customer("Prima Srl")
    story.license(before, "pro")
    manual = story.db.customers.insert_one({"name": "Manual License", "email": "manual@chatello.io"}).inserted_id
    story.license(manual, "founders", metadata={"source": "manual_insert"})
    with story.daemon():
        anna = story.customer("TechCorp Italia")
        story.external("new_customer", "Nuovo cliente registrato: TechCorp Italia (a@b.it)", customer_id=anna)
        story.license(anna, "pro")
        officina = story.customer("L'Officina D'Angelo")
        story.license(officina, "starter", expires_at=clock.now() + timedelta(days=2))
        numbered = story.customer("Numero Uno", 4711)
        story.license(numbered, "yearly", _id=1002)
        story.customer("Numero Due", 2003.0)
        story.license(2003, "starter", _id=1003)
        uuid = Binary.from_uuid(UUID("12345678-1234-5678-1234-567812345678"))
        story.license(story.customer("Uuid Spa", uuid), "agency")
        text = story.customer("Testo Esadecimale", "65f0c0ffee65f0c0ffee65f0")
        story.license(text, "starter", _id="65f0c0ffee65f0c0ffee65f1")
        story.license(story.customer("Gratis"), "free")
        story.license(story.customer("Fondatore"), "founders")
        story.license(story.customer("Da Dimenticare"), "pro")


def second_day(story: Story, by_name: dict[str, Any]) -> None:
    """Friday: upgrades, a cancellation, campaigns, a note of a person on Thursday."""
    with story.daemon():
        story.change(license_of(story, by_name["TechCorp Italia"]), plan_id=story.plans["agency"])
        story.change(license_of(story, by_name["Uuid Spa"]), plan_id=story.plans["pro"])
        story.change(license_of(story, by_name["Prima Srl"]), status="cancelled")
        story.external("license_cancelled", "Disdetta", license_id=license_of(story, by_name["Prima Srl"]))
        story.change(license_of(story, by_name["Gratis"]), plan_id=story.plans["starter"])
        story.external("feature_released", "Rilasciata integrazione Claude 3.5 Sonnet")
        story.annotate(29, 10, "Giornata di lancio, scritto a mano")


def third_day(story: Story, by_name: dict[str, Any]) -> None:
    """Saturday: a license expires, a new price, payments begin, a person is forgotten."""
    with story.daemon():
        story.db.plans.update_one({"_id": story.plans["starter"]}, {"$set": {"price": 3.49}})
        payer = license_of(story, by_name["TechCorp Italia"])
        story.payment(payer, 19.99, "completed", "txn_1")
        failed = story.payment(license_of(story, by_name["Uuid Spa"]), 7.99, "failed", "txn_2")
        story.payment(1002, 99.99, "completed", 48213378)
        story.settle()
        story.db.payments.update_one({"_id": failed}, {"$set": {"status": "completed"}})
        story.command("forget", str(by_name["Da Dimenticare"]), "--yes")


def fourth_day(story: Story, by_name: dict[str, Any]) -> None:
    """Sunday: October is closed; changes while the daemon is down, then a requested reconciliation."""
    story.change(license_of(story, by_name["Prima Srl"]), status="active")
    late = story.customer("Nel Fermo")
    story.license(late, "pro")
    story.license(late, "unknown-plan", _id="held")
    with story.daemon():
        row = {"date": datetime(2026, 10, 30, tzinfo=UTC), "period_type": "daily"}
        saved = found(story.db.historical_analytics, row)
        story.annotate(30, 10, f"{saved['auto_notes']} | vedi mail di Anna")
        story.command("reconcile")
        wait_for(lambda: story.db.analytics_gaps.count_documents({"closed_at": {"$ne": None}}) == 2, "the gap", 60)


def last_day(story: Story, by_name: dict[str, Any]) -> None:
    """Monday: a day that runs when the old program is stopped."""
    with story.daemon():
        new = story.customer("Ultimo Giorno")
        story.external("new_customer", "Nuovo cliente registrato: Ultimo Giorno (u@b.it)", customer_id=new)
        story.license(new, "agency")
        story.db.licenses.delete_one({"_id": license_of(story, by_name["Fondatore"])})


def license_of(story: Story, customer_id: Any) -> Any:
    return found(story.db.licenses, {"customer_id": customer_id})["_id"]


def found(collection: Any, query: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] | None = collection.find_one(query)
    assert document is not None, query
    return document


def write(story: Story) -> None:
    days = (second_day, third_day, fourth_day, last_day)
    story.jump_to(FIRST_DAY)
    first_day(story)
    by_name = {document["name"]: document["_id"] for document in story.db.customers.find()}
    for number, day in enumerate(days, 1):
        story.jump_to(FIRST_DAY + timedelta(days=number))
        day(story, by_name)
    dump = {name: list(story.db[name].find()) for name in sorted(story.db.list_collection_names())}
    # the canonical form keeps number types, and equal input gives an equal file
    text = json_util.dumps(dump, json_options=json_util.CANONICAL_JSON_OPTIONS, indent=0)
    DUMP.write_bytes(gzip.compress(text.encode(), mtime=0))


def main(old: str, pythonpath: str, clock_file: str) -> None:
    exec(SLEEP, {})
    with EmbeddedMongo() as mongo, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text(SLEEP)
        write(Story(mongo.uri, Path(old), f"{pythonpath}:{folder}", Path(clock_file)))


if __name__ == "__main__":
    if "FAKETIME_TIMESTAMP_FILE" not in os.environ:
        Path(sys.argv[3]).write_text(f"{int(FIRST_DAY.timestamp() - time.time()):+d}")  # noqa: TID251
        shifted = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": sys.argv[3], "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **shifted, "FAKETIME_NO_CACHE": "1"})
    main(*sys.argv[1:])
