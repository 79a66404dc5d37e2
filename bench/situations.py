"""Situations in which a program must not lose, double or miscount a fact, run with the daemon and with the script.

Each starts both programs on a server of their own and counts afterwards. Only restarts after kills are timed.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from bench import shop
from bench.measures import Row, print_line
from bench.peers.script_process import SCRIPT, ScriptProcess
from bench.server import Server, running
from bench.subject import Subject
from daemon import clock
from daemon.mongo.collections import LEDGER
from daemon.mongo.types import Document

WAIT_SECONDS = 20.0
SETTLE_SECONDS = 4.0
KILL_CHANGES = 4000
KILLS = 2
MAX_RECOVERY_SECONDS = 200.0


@dataclass(frozen=True, slots=True)
class Program:
    """A program on a database of its own; `start` returns a process that follows the stream."""

    server: Server
    name: str
    ledger: str
    start: Callable[[Server], "Process"]

    @contextmanager
    def following(self) -> Iterator["Process"]:
        process = self.start(self.server)
        try:
            yield process
        finally:
            process.kill()

    def events(self, kind: str) -> int:
        return self.server.db.business_events.count_documents({"event_type": kind})

    def mrr_cents(self) -> int:
        found = list(self.server.db[self.ledger].aggregate([{"$group": {"_id": None, "sum": {"$sum": "$mrr_cents"}}}]))
        return int(found[0]["sum"]) if found else 0


@dataclass(frozen=True, slots=True)
class Process:
    kill: Callable[[], None]


def _daemon(server: Server) -> Process:
    subject = Subject(server.uri, MONGODB_DATABASE=server.database, CHATELLO_STREAM__CHECKPOINT_SECONDS="1")
    subject.wait_for("daemon.ready")

    def kill() -> None:
        subject.process.kill()
        subject.stop()

    return Process(kill)


def _script(server: Server) -> Process:
    process = ScriptProcess(server.uri, server.database)
    process.wait_until_ready()
    return Process(process.kill)


PROGRAMS = {"the daemon": (LEDGER, _daemon), SCRIPT: ("script_ledger", _script)}


@dataclass(frozen=True, slots=True)
class Situation:
    what: str
    right: str
    run: Callable[[Program], str]
    oplog_megabytes: int = 500


def rows() -> list[Row]:
    return [_row(one) for one in SITUATIONS]


def _row(situation: Situation) -> Row:
    found = {}
    for name, (ledger, start) in PROGRAMS.items():
        arguments = ("--oplogSize", str(situation.oplog_megabytes), "--syncdelay", "1")
        with running(arguments) as server:
            shop.open_shop(server.db)
            found[name] = situation.run(Program(server, name, ledger, start))
        print_line(f"  {situation.what}: {name}: {found[name]}")
    met = found["the daemon"].startswith(situation.right)
    text = "; ".join(f"{name}: {result}" for name, result in found.items())
    return Row(situation.what, situation.right, text, met)


def _until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> bool:
    """Wait for a condition; return whether it became true, so that a wrong result is shown instead of an error."""
    deadline = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > deadline:
            return False
        time.sleep(0.02)
    return True


def _sell(program: Program, number: int, **more: object) -> None:
    program.server.db.licenses.insert_one({**shop.license(number), **more})


def _start_once(program: Program) -> None:
    """Let the program store its position before anything happens: the sign is a first customer's event."""
    with program.following():
        program.server.db.customers.insert_one(shop.customer(10**6))
        _until(lambda: program.events("new_customer") == 1)
        time.sleep(SETTLE_SECONDS)


def _expiry(program: Program) -> str:
    with program.following():
        _sell(program, 0, expires_at=clock.now() + timedelta(seconds=6))
        _until(lambda: program.events("license_created") == 1)
        _until(lambda: program.events("license_expired") == 1)
        return f"{program.events('license_expired')} event, MRR {program.mrr_cents()} cents"


def _late_external_event(program: Program) -> str:
    with program.following():
        _sell(program, 0)
        _until(lambda: program.events("license_created") == 1)
        program.server.db.licenses.update_one({"_id": shop.license_id(0)}, {"$set": {"status": "cancelled"}})
        _until(lambda: program.events("license_cancelled") == 1)
        program.server.db.business_events.insert_one(_external(program))
        time.sleep(SETTLE_SECONDS)
        return f"{program.events('license_cancelled')} event"


def _external(program: Program) -> Document:
    own = program.server.db.business_events.find_one({"event_type": "license_cancelled"}) or {}
    ids = {"customer_id": shop.customer_id(0), "license_id": shop.license_id(0)}
    return {**ids, "event_type": "license_cancelled", "event_date": own.get("event_date"), "description": "Annullata"}


def _two_changes(program: Program) -> str:
    _start_once(program)
    _sell(program, 0)
    for plan in (1, 2):
        program.server.db.licenses.update_one({"_id": shop.license_id(0)}, {"$set": {"plan_id": shop.PLANS[plan]}})
    with program.following():
        _until(lambda: program.events("plan_upgraded") == 2)
        time.sleep(SETTLE_SECONDS)
        return f"MRR {program.mrr_cents()} cents"


def _price(program: Program) -> str:
    with program.following():
        _sell(program, 0)
        _until(lambda: program.events("license_created") == 1)
        program.server.db.plans.update_one({"_id": shop.PLANS[0]}, {"$set": {"price": 4.99}})
        time.sleep(SETTLE_SECONDS)
        return f"MRR {program.mrr_cents()} cents"


def _two_instances(program: Program) -> str:
    with program.following(), program.following():
        time.sleep(SETTLE_SECONDS)
        program.server.db.customers.insert_many([shop.customer(number) for number in range(10)])
        _until(lambda: program.events("new_customer") >= 10)
        time.sleep(SETTLE_SECONDS)
        return f"{program.events('new_customer')} events"


def _invalid_document(program: Program) -> str:
    with program.following():
        _sell(program, 0, expires_at="31/12/2026")
        program.server.db.customers.insert_one(shop.customer(1))
        _until(lambda: program.events("new_customer") == 1)
        return f"{program.events('new_customer')} event"


def _lost_history(program: Program) -> str:
    _start_once(program)
    program.server.db.customers.insert_many([shop.customer(number) for number in range(5)])
    _roll_oplog(program.server)
    try:
        with program.following():
            _until(lambda: program.events("new_customer") == 6)
            return f"{program.events('new_customer')} events"
    except (RuntimeError, subprocess.SubprocessError) as problem:
        return f"does not start: {str(problem)[:45]}"


def _roll_oplog(server: Server) -> None:
    mark, oplog = server.now(), server.client.local["oplog.rs"]

    def rolled() -> bool:
        server.client.noise.noise.insert_many([{"noise": os.urandom(50_000)} for _ in range(20)])
        first = oplog.find_one({}, {"ts": 1}, sort=[("$natural", 1)])
        return first is not None and bool(first["ts"] > mark)

    assert _until(rolled, 120), "the oplog did not roll over"


def _kills(program: Program) -> str:
    """Kill the program while it writes; count, and measure from a restart to the next event."""
    _start_once(program)
    shop.Backlog(0, KILL_CHANGES).write(program.server.db)
    expected, waits = KILL_CHANGES // 4, list[float]()
    for is_last in (*[False] * KILLS, True):
        known, began = _stored(program), time.perf_counter()
        with program.following():
            _until(partial(_has_more, program, known), MAX_RECOVERY_SECONDS)
            waits.append(time.perf_counter() - began)
            if is_last:
                _until(lambda: program.events("license_created") >= expected, MAX_RECOVERY_SECONDS)
    return f"{program.events('license_created')} events; after a restart the next one within {max(waits[1:]):.0f} s"


def _has_more(program: Program, known: int) -> bool:
    return _stored(program) > known


def _stored(program: Program) -> int:
    return program.server.db.business_events.estimated_document_count()


SITUATIONS = (
    Situation(f"killed {KILLS} times within {KILL_CHANGES:,} changes", f"{KILL_CHANGES // 4} events", _kills),
    Situation("a license expires, which nothing writes", "1 event, MRR 0 cents", _expiry),
    Situation("the dashboard reports the cancellation afterwards", "1 event", _late_external_event),
    Situation("two changes of plan before the program reads the first", "MRR 1999 cents", _two_changes),
    Situation("the price of a plan changes from 2.99 to 4.99", "MRR 499 cents", _price),
    Situation("two instances, ten new customers", "10 events", _two_instances),
    Situation("a license whose end is a text, then a customer", "1 event", _invalid_document),
    Situation("a restart after the oplog has rolled over, six customers", "6 events", _lost_history, 2),
)
