"""The script that a developer writes in an afternoon for the daemon's purpose; `bench.script` measures it.

It follows one change stream with pre-images and a look-up of the current document, and writes an event, a ledger line
and the resume token of each change in one transaction. It uses none of the daemon's modules.

`python transaction_script.py URI DATABASE [COUNT]` prints "ready" and follows; after COUNT changes it prints the
seconds since the first one was requested, and ends. A COUNT of 0 only stores the position.
"""

import sys
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database

Document = dict[str, Any]

WATCHED = ("customers", "licenses")
FILTER = [
    {"$match": {"ns.coll": {"$in": WATCHED}, "operationType": {"$in": ["insert", "update", "replace", "delete"]}}}
]
ENDED = {"cancelled": "license_cancelled", "suspended": "license_suspended", "expired": "license_expired"}


class Script:
    def __init__(self, db: "Database[Document]") -> None:
        self.db = db
        self.plans = {plan["_id"]: plan for plan in db.plans.find()}

    def run(self, count: int | None) -> None:
        for name in WATCHED:
            if name not in self.db.list_collection_names():
                self.db.create_collection(name)
            self.db.command("collMod", name, changeStreamPreAndPostImages={"enabled": True})
        state = self.db.script_state.find_one({"_id": "position"})
        images: dict[str, Any] = {"full_document": "updateLookup", "full_document_before_change": "whenAvailable"}
        resume = state["token"] if state else None
        with (
            self.db.watch(FILTER, resume_after=resume, max_await_time_ms=1000, **images) as stream,
            self.db.client.start_session() as session,
        ):
            began, done = time.perf_counter(), 0
            if state is None:
                stream.try_next()
                self.store(stream.resume_token, None)
            print("ready", flush=True)
            while count is None or done < count:
                change = stream.try_next()
                if change is not None:
                    session.with_transaction(partial(self.apply, change))
                    done += 1
        print(time.perf_counter() - began, flush=True)

    def apply(self, change: Document, session: ClientSession) -> None:
        before, after = change.get("fullDocumentBeforeChange"), change.get("fullDocument")
        is_license = change["ns"]["coll"] == "licenses"
        kind = self.license_event(before, after) if is_license else self.customer_event(before)
        document = after or before or {}
        if kind is not None:
            self.db.business_events.insert_one(self.event(kind, change, document, is_license), session=session)
        line = {
            "at": change["wallTime"],
            "customers": 0 if is_license else (before is None) - (after is None),
            "mrr_cents": self.mrr_cents(after) - self.mrr_cents(before) if is_license else 0,
            "document": change["documentKey"]["_id"],
        }
        if line["customers"] or line["mrr_cents"]:
            self.db.script_ledger.insert_one(line, session=session)
        self.store(change["_id"], session)

    def store(self, token: object, session: ClientSession | None) -> None:
        self.db.script_state.replace_one({"_id": "position"}, {"token": token}, upsert=True, session=session)

    def customer_event(self, before: Document | None) -> str | None:
        return "new_customer" if before is None else None

    def license_event(self, before: Document | None, after: Document | None) -> str | None:
        if before is None:
            return "license_created"
        if after is None or after["status"] != before["status"]:
            status = after["status"] if after else "cancelled"
            return ENDED.get(status, "license_activated")
        if after["plan_id"] != before["plan_id"]:
            return "plan_upgraded" if self.price(after) > self.price(before) else "plan_downgraded"
        return None

    def event(self, kind: str, change: Document, document: Document, is_license: bool) -> Document:
        plan = self.plans.get(document.get("plan_id"), {})
        name = document.get("name")
        if is_license:
            customer = self.db.customers.find_one({"_id": document.get("customer_id")}, {"name": 1})
            name = customer["name"] if customer else None
        return {
            "event_type": kind,
            "event_date": change["wallTime"],
            "customer_id": document.get("customer_id") if is_license else document.get("_id"),
            "license_id": document.get("_id") if is_license else None,
            "plan_name": plan.get("name"),
            "description": f"{kind}: {name or 'Cliente'} {plan.get('display_name', '')}".strip(),
            "auto_generated": True,
            "processed": False,
            "metadata": {"source": "script"},
            "created_at": datetime.now(UTC),  # noqa: TID251 - does not use the daemon's clock
        }

    def price(self, license: Document) -> float:
        return float(self.plans.get(license["plan_id"], {}).get("price", 0))

    def mrr_cents(self, license: Document | None) -> int:
        if license is None or license["status"] != "active":
            return 0
        end = license.get("expires_at")
        is_over = end is not None and end <= datetime.now(UTC)  # noqa: TID251 - does not use the daemon's clock
        plan = self.plans.get(license["plan_id"], {})
        return 0 if is_over or plan.get("is_lifetime") else round(100 * self.price(license))


def main(uri: str, database: str, count: str | None = None) -> None:
    client: MongoClient[Document]
    with MongoClient(uri, tz_aware=True) as client:
        Script(client[database]).run(None if count is None else int(count))


if __name__ == "__main__":
    main(*sys.argv[1:])
