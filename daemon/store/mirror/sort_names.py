"""What customers are sorted by, for those that a program of an earlier format stored without it."""

from itertools import islice

from pymongo import UpdateOne

from daemon.mongo.client import translated
from daemon.mongo.collections import MIRROR
from daemon.mongo.types import Database, Document
from daemon.store.mirror.states import sort_name
from rules.model.changes import Source

CHUNK = 1000
MISSING: Document = {"sort_name": {"$exists": False}}


def fill(database: Database) -> None:
    """Add what is missing, beside the running daemon: a customer whose name changes in the meantime has it already."""
    of_customers, fields = {"_id.k": Source.CUSTOMERS.value, **MISSING}, {"fields.name": 1, "fields.company": 1}
    with translated():
        documents = iter(database[MIRROR].find(of_customers, fields, batch_size=CHUNK))
        while chunk := list(islice(documents, CHUNK)):
            database[MIRROR].bulk_write([*map(_update, chunk)], ordered=False)


def _update(document: Document) -> UpdateOne:
    return UpdateOne({"_id": document["_id"], **MISSING}, {"$set": {"sort_name": sort_name(document["fields"])}})
