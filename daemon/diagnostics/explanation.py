"""Sources of a number: the movements it is made of, the number computed again, and the stored one. Writes nothing.

The page, the API and the command `explain` use this one implementation; only their words differ.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from daemon.mongo.client import translated
from daemon.mongo.types import ClientSession, Database, Document
from daemon.store import checkpoint as checkpoints
from daemon.store import rows
from daemon.store.ledger import account_reader, day_sums
from daemon.store.ledger import reader as ledger
from daemon.store.ledger.day_totals import DayTotals
from daemon.store.mirror.reader import MirrorReader
from rules import business_days
from rules.model.changes import DocId
from rules.model.ledger import Movement, Totals
from rules.model.states import PlanState
from rules.revenue.day_sums import DaySums
from rules.rows import number_names, number_values, period_data, periods, provenance
from rules.rows import row as rollup
from rules.rows.period_data import LedgerStart, PeriodData
from rules.rows.periods import Period
from rules.rows.provenance import Question
from rules.settings.settings import Settings
from rules.text import customer_name

NOW = "adesso"
MAX_DIRECT_LINES = 20_000
"""Ledger lines that one answer sums while the sums of days are not ready."""


class Asked(NamedTuple):
    """The period of a number and the last ledger line that counts for it (None: all).

    `is_live`: the row of the period is not final, or a line is given, so the number is compared with the running totals
    instead of the table. `at` is the time of the number; None for a closed period.
    """

    period: Period
    line: int | None = None
    is_live: bool = False
    at: datetime | None = None


class Obstacle(StrEnum):
    """Reason why a number cannot be explained."""

    UNKNOWN_NUMBER = "unknown number"
    INVALID_TIME = "neither adesso, nor a day (YYYY-MM-DD), nor a month (YYYY-MM)"
    UNKNOWN_LINE = "the ledger has no such line"
    FUTURE = "in the future"
    RECONSTRUCTED = "reconstructed from the documents' dates: there are no movements"
    BEFORE_LEDGER = "before the first day of the ledger"
    NO_LEDGER = "the ledger is empty"
    SUMMING = "the ledger's days are still being summed; try again in a minute"


class NotExplained(Exception):
    """The number has no explanation; `first_day` is the ledger's."""

    def __init__(self, obstacle: Obstacle, first_day: date | None = None) -> None:
        super().__init__(obstacle.value)
        self.obstacle = obstacle
        self.first_day = first_day


@dataclass(frozen=True, slots=True)
class NumberSource:
    """Sources of one number: the question with its filled accounts, the recomputed value and the stored value.

    `unknown`: the number is a rate that needs data from before the ledger began. `is_stored`: there is a stored value.
    `reported` is the value first reported, of an amended row; None if it did not change. `subscribers` are those at the
    start of the days that a rate covers.
    """

    question: Question
    computed: Any
    stored: Any
    unknown: bool
    is_stored: bool
    reported: Any = None
    subscribers: int | None = None

    @property
    def adds_up(self) -> bool:
        """Whether the accounts add up to the recomputed value; a part that the row omits counts as 0."""
        answer = self.question.answer
        return self.unknown or answer == self.computed or (self.computed is None and not answer)

    @property
    def matches(self) -> bool:
        """Whether the stored value is the recomputed one, if there is one."""
        return not self.is_stored or bool(self.stored == self.computed)


class Explanation:
    """Finds sources in one database, each with at most `limit` lines.

    Without `day_totals`, the balance at the start of a day is the running totals minus all later movements.
    """

    def __init__(self, database: Database, settings: Settings, limit: int, day_totals: DayTotals | None = None) -> None:
        self.database = database
        self.settings = settings
        self.limit = limit
        self.day_totals = day_totals
        self.mirror = MirrorReader(database, settings)

    # -- when -----------------------------------------------------------------------------------------------

    def ask(self, when: str, line: int | None = None) -> Asked:
        """Return what `adesso`, a day or a month means. Raises NotExplained.

        `adesso` with a line is the state after that line, on the newest business day up to it.
        """
        checkpoint, first_day = checkpoints.load(self.database), ledger.first_day(self.database)
        if checkpoint is None or checkpoint.at is None or first_day is None:
            raise NotExplained(Obstacle.NO_LEDGER)
        today = business_days.business_day(checkpoint.at, self.settings.zone)
        if line is not None and not 0 < line <= checkpoint.seq:
            raise NotExplained(Obstacle.UNKNOWN_LINE)
        period = self._current_period(line, today) if when == NOW else parsed_period(when)
        if period.first > today:
            raise NotExplained(Obstacle.FUTURE)
        if period.last < first_day:
            is_stored = rows.get(self.database, period) is not None
            raise NotExplained(Obstacle.RECONSTRUCTED if is_stored else Obstacle.BEFORE_LEDGER, first_day)
        if line is None and period.last < today:
            return Asked(period)
        at = checkpoint.at if line in (None, checkpoint.seq) else ledger.time_of(self.database, line)
        return Asked(period, line or checkpoint.seq, is_live=True, at=at)

    def _current_period(self, line: int | None, today: date) -> Period:
        return periods.day(today if line is None else ledger.day_at(self.database, line) or today)

    def is_in_future(self, period: Period) -> bool:
        """Return whether the period begins after the checkpoint's business day."""
        checkpoint = checkpoints.load(self.database)
        now = checkpoint.at if checkpoint is not None else None
        return now is not None and period.first > business_days.business_day(now, self.settings.zone)

    def stored_row(self, period: Period) -> Document:
        """Return the row in the table, or {} if there is none."""
        return rows.get(self.database, period) or {}

    # -- numbers --------------------------------------------------------------------------------------------

    def number(self, name: str, asked: Asked, skip: int = 0) -> NumberSource:
        """Return the sources of the number with a name of `number_names`; its lines begin after the first `skip`.

        Raises NotExplained.
        """
        field = number_names.field_of(name)
        found = [] if field is None else self.number_sources(field, asked, skip)
        if len(found) != 1:
            raise NotExplained(Obstacle.UNKNOWN_NUMBER)
        return found[0]

    def number_sources(self, field: str, asked: Asked, skip: int = 0) -> list[NumberSource]:
        """Return the sources of a field: one, or one per part of it; empty if there is no such number."""
        plans = self.mirror.plans()
        questions = list(provenance.questions(field, asked.period, self._keys(plans, asked.period), self.limit))
        with translated(), self.database.client.start_session(snapshot=True) as session:
            begin = ledger.ledger_start(self.database, session)
            return [self._source(question, asked, (plans, begin, skip), session) for question in questions]

    def row(self, asked: Asked, session: ClientSession) -> Document:
        """Return the numbers of an open period, without rates, as its explanations compute them."""
        return self._row(asked, self._data("new_customers", asked, session), self.mirror.plans())

    def rates_data(self, asked: Asked, session: ClientSession) -> PeriodData:
        """Return the data that the rates of a period are computed from."""
        return self._data("quick_ratio", asked, session)

    def _data(self, field: str, asked: Asked, session: ClientSession) -> PeriodData:
        begin = ledger.ledger_start(self.database, session)
        return self._period_data(self._sums(field, asked, begin, session), asked, begin, session)

    def _source(
        self,
        question: Question,
        asked: Asked,
        known: tuple[dict[DocId, PlanState], LedgerStart | None, int],
        session: ClientSession,
    ) -> NumberSource:
        plans, begin, skip = known
        by_day = self._sums(question.field, asked, begin, session)
        data = self._period_data(by_day, asked, begin, session)
        for account in question.accounts:
            account.skip = skip
            if account.carried is not None:
                account.open(self._totals_after(account.first - business_days.ONE_DAY, asked.line, session))
        account_reader.fill(self.database, question.accounts, session, asked.line, by_day)
        row = self._row(asked, data, plans)
        stored = rows.get(self.database, asked.period, session) or {}
        reported = stored.get("first_reported") or {}
        if asked.is_live or stored.get("final") is False:
            running = checkpoints.running_totals(self.database, session)
            last = asked.period.last
            totals = ledger.totals_after(self.database, running, last, session, asked.line)
            stored = rollup.row(asked.period, replace(data, totals=totals), plans, self.settings)
        return _number_source(question, row, stored, reported, data)

    def _row(self, asked: Asked, data: PeriodData, plans: dict[DocId, PlanState]) -> Document:
        numbers = rollup.row(asked.period, data, plans, self.settings)
        return {**numbers, **number_values.unstored_numbers(data.sums)}

    def _sums(
        self, field: str, asked: Asked, begin: LedgerStart | None, session: ClientSession
    ) -> Mapping[date, DaySums]:
        """Return the sums of the days that a field follows from: of those that rates cover only if it is a rate."""
        if not number_values.needs_sums(field):
            return {}
        period = asked.period
        first = period_data.first_needed_day(period, begin) if number_values.is_rate(field) else period.first
        return self._by_day(first, period.last, asked.line, session)

    def _period_data(
        self, by_day: Mapping[date, DaySums], asked: Asked, begin: LedgerStart | None, session: ClientSession
    ) -> PeriodData:
        totals = self._totals_after(asked.period.last, asked.line, session)
        return period_data.of(asked.period, totals, by_day, begin)

    def _by_day(self, first: date, last: date, line: int | None, session: ClientSession) -> Mapping[date, DaySums]:
        if self.day_totals is not None:
            found = self.day_totals.by_day(first, last, line, session)
            if found is not None:
                return found
            self._require_few(first, session)
        return day_sums.by_day(self.database, first, last, session, line)

    def _totals_after(self, day: date, line: int | None, session: ClientSession) -> Totals:
        if self.day_totals is not None:
            found = self.day_totals.after(day, line, session)
            if found is not None:
                return found
            self._require_few(day + business_days.ONE_DAY, session)
        running = checkpoints.running_totals(self.database, session)
        return ledger.totals_after(self.database, running, day, session, line)

    def _require_few(self, first: date, session: ClientSession) -> None:
        """Raise NotExplained if the lines since a day are too many to be summed now."""
        newest, since = ledger.newest_line(self.database, session), ledger.line_since(self.database, first, session)
        if since is not None and newest - since > MAX_DIRECT_LINES:
            raise NotExplained(Obstacle.SUMMING)

    # -- names ----------------------------------------------------------------------------------------------

    def customer_names(self, movements: Iterable[Movement]) -> dict[DocId, str]:
        """Return the customers' names by id, for those that the mirror contains."""
        ids = list({movement.customer_id for movement in movements} - {None})
        return {state.id: customer_name(state.fields) for state in self.mirror.customers(ids)}

    def plan_names(self, period: Period) -> dict[DocId, str]:
        """Return the key of each plan in the row of a period, by plan id."""
        return self._keys(self.mirror.plans(), period)

    def _keys(self, plans: dict[DocId, PlanState], period: Period) -> dict[DocId, str]:
        at = rollup.end(period, self.settings)
        return {plan_id: rollup.plan_key(state, at) for plan_id, state in plans.items()}


def parsed_period(when: str) -> Period:
    """Return the period of a day or a month. Raises NotExplained."""
    try:
        if len(when) == len("YYYY-MM"):
            return periods.month(business_days.parsed(f"{when}-01"))
        if len(when) == len("YYYY-MM-DD"):
            return periods.day(business_days.parsed(when))
    except ValueError:
        pass
    raise NotExplained(Obstacle.INVALID_TIME)


def _number_source(
    question: Question, row: Document, stored: Document, reported: Document, data: PeriodData
) -> NumberSource:
    computed, recorded, first = (number_values.value(one, question.field) for one in (row, stored, reported))
    return NumberSource(
        question,
        computed,
        recorded,
        unknown=number_values.is_rate(question.field) and data.rates_sums is None,
        is_stored=number_values.stored_field(question.field) in stored,
        reported=first if first != computed else None,
        subscribers=rollup.start(data.totals, data.rates_sums).subscribers if data.rates_sums else None,
    )
