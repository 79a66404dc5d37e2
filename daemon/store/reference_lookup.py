"""References of events to customers and licenses that a person or an API gives as text."""

from daemon.errors import ChatelloError
from daemon.mongo.client import translated
from daemon.mongo.collections import MIRROR
from daemon.mongo.id_text import exact_id, id_candidates
from daemon.mongo.ids import canonical
from daemon.mongo.types import Database, ObjectId
from daemon.store.mirror.states import mirror_id
from rules.model.changes import EVENT_REFERENCES, DocId, Source


class UnknownId(ChatelloError):
    """No document has an id that the text stands for."""


class AmbiguousId(ChatelloError):
    """Several documents have ids that the text stands for: it has to be written as Extended JSON."""


def reference_id(database: Database, name: str, text: str) -> DocId:
    """Return the id that a text stands for in field `name`: of a mirrored document, preferably one not deleted.

    24 hex digits may also be the ObjectId of a document that the daemon does not know yet. Raises UnknownId and
    AmbiguousId; their messages do not repeat the text.
    """
    keys = [mirror_id(EVENT_REFERENCES[name], candidate) for candidate in id_candidates(text)]
    with translated():
        found = list(database[MIRROR].find({"_id": {"$in": keys}}, {"present": 1}))
    present = [one for one in found if one.get("present", True)]
    if ids := [canonical(one["_id"]["id"]) for one in present or found]:
        return the_one(ids, EVENT_REFERENCES[name])
    if ObjectId.is_valid(text):
        return ObjectId(text)
    raise UnknownId(
        f"{name}: no document of {EVENT_REFERENCES[name]} has this id; copy it from an export or from `explain`"
    )


def the_one(ids: list[DocId], source: Source) -> DocId:
    """Return the only id; raises AmbiguousId if there are several."""
    if len(ids) > 1:
        forms = " or ".join(sorted(map(exact_id, ids)))
        raise AmbiguousId(f"several documents of {source} have this id, with different types; write {forms}")
    return ids[0]
