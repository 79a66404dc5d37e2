"""Forgetting a customer: the name leaves everything that is ours, the numbers stay to the cent.

In this order, so that it is safe beside a running daemon and can be stopped and begun again at any point: the customer
goes on the list (from then on nothing new names it), then the log file, dead letters, gaps and rows are cleaned, then
the events, which tell the name until then, as rows do where events were deleted; then every writer is made to look
again, and the rows are looked through until nothing is found.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bson import ObjectId

from daemon import clock
from daemon.config.schema import Config
from daemon.diagnostics.verification import Verification, verify_or_report
from daemon.errors import ChatelloError
from daemon.mongo.collections import EVENTS, KEPT_ROWS, ROWS
from daemon.mongo.types import Database, Document
from daemon.privacy import documents as texts
from daemon.privacy import log_files
from daemon.privacy.redaction import Redactor, Subject, names_somebody
from daemon.rollup.row_builder import RowBuilder
from daemon.store import checkpoint as checkpoints
from daemon.store import forgotten, indexes
from daemon.store.ledger import reader as ledger
from daemon.store.mirror.reader import MirrorReader
from rules import business_days
from rules.privacy import erasure
from rules.settings import catalog

Advance = Callable[[int], object]

MOST_LOOKS = 5


class CustomerNotFound(ChatelloError):
    """No customer is known by what was given."""


@dataclass(slots=True)
class ForgetReport:
    """How many documents were changed (or would be), by place; and how many of others' hold the name and were left."""

    changed: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    proof: list[str] = field(default_factory=list)

    def count(self, place: str) -> None:
        self.changed[place] = self.changed.get(place, 0) + 1

    def leave(self, what: str | None) -> None:
        if what is not None:
            self.left[what] = self.left.get(what, 0) + 1


class ForgetRequest:
    """Forgets customers of one shop. `others`: also in texts that the dashboard or a person wrote."""

    def __init__(self, database: Database, config: Config, *, others: bool = False) -> None:
        self.database = database
        self.config = config
        self.settings = config.settings()
        self.others = others
        self.rebuild = RowBuilder(database, self.settings)
        states = MirrorReader(database, self.settings).plans().values()
        self.plans = {state.plan.name: state.plan for state in states if state.plan is not None}

    # -- whom ------------------------------------------------------------------------------------------------

    def person(self, who: str, also: Iterable[str] = ()) -> Subject:
        """The customer with this id or e-mail; `also` are further texts that name it. Raises NobodyKnown."""
        stored = next((one for wanted in _wanted(who) if (one := texts.customer(self.database, wanted))), None)
        customer_id = stored["_id"] if stored else self._known_id(who)
        names = [*self._names(stored or {}, customer_id), *also]
        others = texts.names_of_others(self.database, customer_id, names)
        if stored and stored.get("email") == self.config.rules.manual_email:
            raise CustomerNotFound(f"{who} is the placeholder for licences entered by hand, nobody to forget")
        return Subject(
            customer_id,
            texts.license_ids(self.database, customer_id),
            erasure.name_patterns(names, self.plans.values(), others),
            stored is not None,
        )

    def _known_id(self, who: str) -> Any:
        """The id of a customer whose document is gone."""
        for wanted in _wanted(who):
            customer_id = wanted.get("_id")
            known = texts.mirrored(self.database, customer_id) is not None
            if customer_id is not None and (known or texts.is_named_in(self.database, customer_id)):
                return customer_id
        raise CustomerNotFound(
            f"no customer has the id or e-mail {who}; of one that was deleted from the dashboard the id is wanted "
            "(chatello-analytics export events shows it)"
        )

    def _names(self, stored: Mapping[str, Any], customer_id: Any) -> Iterator[str]:
        for fields in (stored, texts.mirrored(self.database, customer_id) or {}):
            named = [fields.get("email"), fields.get("name") or fields.get("company")]
            yield from (name for name in named if isinstance(name, str))
        yield from texts.names_in_events(self.database, customer_id)
        for entry in texts.entries(self.database, customer_id):
            yield catalog.name_in_text(self.settings.texts, str(entry.get("description"))) or ""

    # -- what ------------------------------------------------------------------------------------------------

    def size(self) -> int:
        """How many documents are to be looked at, about."""
        return sum(texts.count(self.database, name) for name in (*texts.TEXTS, EVENTS))

    def survey(self, person: Subject, advance: Advance) -> ForgetReport:
        """What would be changed, and what left. Writes nothing."""
        report, cleaner = ForgetReport(), self._cleaner(person)
        for name in (*texts.TEXTS, EVENTS):
            for document in texts.documents(self.database, name):
                if cleaner.document(name, document) != document:
                    report.count(name)
                report.leave(cleaner.left(name, document))
                advance(1)
        return report

    def execute(self, person: Subject, now: datetime, advance: Advance) -> ForgetReport:
        """Forget the person; what was changed and what was left. May be repeated, and gone on with after a stop."""
        report = ForgetReport()
        indexes.create(self.database)
        before = self._books()
        if forgotten.add(self.database, forgotten.prepare(self.database), person.id, now):
            report.count("mirror")
        cleaner = self._cleaner(person)
        self._clean_logs(report, person)
        for name in texts.TEXTS:
            self._clean(report, name, cleaner, advance)
        self._clean_events(report, cleaner, advance)
        self._look_again(report, cleaner)
        self._prove(report, before)
        self._record(report, person, before, now)
        return report

    def _cleaner(self, person: Subject) -> Redactor:
        told = texts.event_times(self.database, person.id, person.licenses)
        affected = {business_days.business_day(at, self.settings.zone) for at in told if isinstance(at, datetime)}
        return Redactor(person, affected, self.rebuild, self.plans, others=self.others)

    def _clean(self, report: ForgetReport, name: str, cleaner: Redactor, advance: Advance) -> None:
        for document in texts.documents(self.database, name):
            self._clean_one(report, name, cleaner, document)
            advance(1)

    def _clean_one(self, report: ForgetReport, name: str, cleaner: Redactor, document: Document) -> None:
        if texts.change(self.database, name, document, lambda stored: cleaner.document(name, stored)):
            report.count(name)
        report.leave(cleaner.left(name, document))

    def _clean_events(self, report: ForgetReport, cleaner: Redactor, advance: Advance) -> None:
        """Those that carry the name beside their text come last: stopped before, the next run still learns it."""
        for event in texts.documents(self.database, EVENTS):
            if not (names_somebody(event) and cleaner.person.is_named_in(event)):
                self._clean_one(report, EVENTS, cleaner, event)
            advance(1)
        for event in texts.naming(self.database, cleaner.person.id):
            self._clean_one(report, EVENTS, cleaner, event)

    def _look_again(self, report: ForgetReport, cleaner: Redactor) -> None:
        """Rows that were written from what stood before are written again by their writer, and looked through here."""
        forgotten.grow(self.database)
        for _ in range(MOST_LOOKS):
            found = ForgetReport()
            for name in (ROWS, KEPT_ROWS):
                self._clean(found, name, cleaner, lambda _: None)
            if not found.changed:
                return
            again = report.changed.get("rows_looked_at_again", 0)
            report.changed["rows_looked_at_again"] = again + sum(found.changed.values())

    def _clean_logs(self, report: ForgetReport, person: Subject) -> None:
        if self.config.logs.file:
            lines = log_files.mask(Path(self.config.logs.file), person.needles, str(person.id))
            if lines:
                report.changed["log_lines"] = lines

    # -- books -----------------------------------------------------------------------------------------------

    def _books(self) -> Document:
        """The ledger as it stands, to be the same afterwards up to this line."""
        checkpoint = checkpoints.load(self.database)
        seq = checkpoint.seq if checkpoint else 0
        return {"seq": seq, **ledger.digest(self.database, seq)}

    def _prove(self, report: ForgetReport, before: Document) -> None:
        after = {"seq": before["seq"], **ledger.digest(self.database, before["seq"])}
        if after != before:
            report.proof.append(f"the ledger changed: {before} before, {after} after")
        if before["seq"]:
            report.proof += verify_or_report(Verification(self.database, self.config)).mismatches

    def _record(self, report: ForgetReport, person: Subject, before: Document, now: datetime) -> None:
        known = forgotten.load(self.database)
        entry = {
            "action": "forget",
            "at": now,
            "ended_at": clock.now(),
            "subject": known.hash(person.id),
            "include_external": self.others,
            "changed": report.changed,
            "left": report.left,
            "ledger": before,
            "proof": "holds" if not report.proof else report.proof,
            "version": version("chatello-analytics"),
        }
        forgotten.record(self.database, entry)


def _wanted(who: str) -> Iterator[Document]:
    """How a customer may be looked for, the likeliest first."""
    if "@" in who:
        yield {"email": who}
    if ObjectId.is_valid(who):
        yield {"_id": ObjectId(who)}
    yield {"_id": who}
    if who.isdecimal():
        yield {"_id": int(who)}
