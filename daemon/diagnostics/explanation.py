"""Where a number or a sentence of a row comes from, read from the ledger and the events. Writes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from daemon.mongo.client import translated
from daemon.mongo.types import ClientSession, Database, Document
from daemon.rollup.row_builder import RowBuilder, facts
from daemon.store import checkpoint as checkpoints
from daemon.store import rows
from daemon.store.ledger import reader as ledger
from rules import business_days
from rules.model.changes import DocId
from rules.model.ledger import Movement
from rules.rows import daily_note, monthly_note, periods, provenance
from rules.rows import row as rollup
from rules.rows.accounts import Account
from rules.rows.daily_note import Line
from rules.rows.periods import Period
from rules.rows.provenance import Question
from rules.settings.settings import Settings
from rules.text import customer_name

TOGETHER = timedelta(seconds=10)
"""How far apart an event somebody else told may lie from the movement it tells."""


@dataclass(frozen=True, slots=True)
class NumberSource:
    """One number: the question with its accounts filled in, what the row made anew says, and what the table says.

    `unknown` is a rate that would look back behind the ledger's beginning.
    """

    question: Question
    made: Any
    stored: Any
    unknown: bool

    @property
    def adds_up(self) -> bool:
        """Whether the accounts come to what the row says; a part that the row leaves out is nothing."""
        answer = self.question.answer
        return self.unknown or answer == self.made or (self.made is None and not answer)


@dataclass(slots=True)
class NoteSource:
    """One piece of a note, the events behind it (the first ones, with the movements beside them), and how many more.

    A month's note has numbers behind it instead. `gone` are the events of a day whose own were deleted, as the row
    kept them.
    """

    text: str
    events: list[tuple[Document, list[Movement]]] = field(default_factory=list)
    untold: int = 0
    numbers: tuple[str, ...] = ()
    gone: list[Document] = field(default_factory=list)


class Explanation:
    """Answers for one database, each with at most `shown` lines."""

    def __init__(self, database: Database, settings: Settings, shown: int) -> None:
        self.database = database
        self.settings = settings
        self.shown = shown
        self.rebuild = RowBuilder(database, settings)

    def is_to_come(self, period: Period) -> bool:
        """Whether none of its days has begun, by the stream's own time."""
        checkpoint = checkpoints.load(self.database)
        now = checkpoint.at if checkpoint is not None else None
        return now is not None and period.first > business_days.business_day(now, self.settings.zone)

    def stored(self, period: Period) -> Document:
        """The row in the table; {} if there is none."""
        return rows.of(self.database, period) or {}

    def numbers(self, name: str, period: Period) -> list[NumberSource]:
        """The answers for a field: one, or one for each of its parts; none if there is no such number."""
        plans = self.plans(period)
        stored = self.stored(period)
        with translated(), self.database.client.start_session(snapshot=True) as session:
            known = self.rebuild.books(period, session)
            beside = {name: getattr(known.flows, name) for name in provenance.BESIDE}
            made = self.rebuild.build(period, known, session) | beside
            answers = []
            for question in provenance.questions(name, period, plans, self.shown):
                for account in question.accounts:
                    self._fill(account, session)
                unknown = provenance.looks_back(question.field) and known.looked_back is None
                made_value, stored_value = (provenance.value(row, question.field) for row in (made, stored))
                answers.append(NumberSource(question, made_value, stored_value, unknown))
        return answers

    def _fill(self, account: Account, session: ClientSession) -> None:
        if account.carried is not None:
            running = checkpoints.running_totals(self.database, session)
            account.open(ledger.totals_after(self.database, running, account.first - business_days.ONE_DAY, session))
        if account.first <= account.last:
            for movement in ledger.of_days(self.database, account.first, account.last, session):
                account.add(movement, business_days.business_day(movement.at, self.settings.zone))
        account.close()

    def sentences(self, text: str, period: Period) -> list[NoteSource]:
        """The pieces of the period's note that hold `text` ("": all of them), and what each comes from."""
        if period.kind is periods.Kind.MONTHLY:
            return list(self._of_month(text, period))
        found = [line for line in daily_note.lines(self._facts(period.first), self.settings) if _holds(line.text, text)]
        told = [self._of_day(line, period.first) for line in found if line.text]
        return told or list(self._gone(text, period))

    def _of_month(self, text: str, period: Period) -> Iterator[NoteSource]:
        with translated(), self.database.client.start_session(snapshot=True) as session:
            known = self.rebuild.books(period, session)
        for part in monthly_note.parts(period, known, self.settings):
            if _holds(str(part), text):
                yield NoteSource(str(part), numbers=part.numbers)

    def _facts(self, day: date) -> Iterator[daily_note.Fact]:
        yield from facts(self.rebuild.events(day), self.settings)

    def _of_day(self, line: Line, day: date) -> NoteSource:
        told = NoteSource(line.text)
        events: list[Document] = []
        for event in self.rebuild.events(day):
            if event["_id"] in line.ids if line.ids else str(event.get("event_type")) == line.kind:
                if len(events) < self.shown:
                    events.append(event)
                else:
                    told.untold += 1
        told.events = list(self._with_movements(events, day))
        return told

    def _with_movements(self, events: list[Document], day: date) -> Iterator[tuple[Document, list[Movement]]]:
        """Each event with the lines of the ledger that belong to the same fact."""
        of: dict[DocId, list[Movement]] = defaultdict(list)
        wanted = {_about(event) for event in events}
        instants = {event["event_date"] for event in events if _about(event) is None}
        for movement in ledger.of_day(self.database, day):
            for owner in {movement.license_id, movement.customer_id} & wanted:
                of[owner].append(movement)
            if movement.at in instants:
                of[movement.at].append(movement)
        for event in events:
            near = of[_about(event) or event["event_date"]]
            yield event, [line for line in near if abs(line.at - event["event_date"]) <= TOGETHER]

    def _gone(self, text: str, period: Period) -> Iterator[NoteSource]:
        """Of a day whose events were deleted the row alone remembers them."""
        stored = self.stored(period)
        note = str(stored.get("auto_notes") or "")
        if note and _holds(note, text):
            yield NoteSource(note, gone=list(stored.get("auto_events") or ()))

    def names(self, movements: Iterable[Movement]) -> dict[DocId, str]:
        """What the customers of these movements are called, as far as the mirror knows."""
        ids = list({movement.customer_id for movement in movements} - {None})
        return {state.id: customer_name(state.fields) for state in self.rebuild.mirror.customers(ids)}

    def plans(self, period: Period) -> dict[DocId, str]:
        """What each plan is called in the row of a period."""
        at = rollup.end(period, self.settings)
        return {plan_id: rollup.plan_key(state, at) for plan_id, state in self.rebuild.mirror.plans().items()}


def _about(event: Document) -> DocId:
    """What an event is about: a licence, else a customer, else nothing but its instant."""
    found = event.get("license_id") or event.get("customer_id")
    return found if found is None or getattr(found, "__hash__", None) else str(found)


def _holds(piece: str, text: str) -> bool:
    return text.casefold() in piece.casefold()
