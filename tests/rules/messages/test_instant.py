"""Messages at once: all that waits is one message of at most ten lines."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from rules.messages import instant
from rules.messages.instant import WaitingFact
from rules.model.events import EventType
from rules.model.facts import EventFact, Fact, FactType, GapFact

ROME = ZoneInfo("Europe/Rome")
NOON = datetime(2026, 11, 26, 11, tzinfo=UTC)
SOLD, PAID = EventType.LICENSE_CREATED, EventType.PAYMENT_COMPLETED


def event(number: int, kind: EventType = SOLD, text: str = "🎫 Nuova licenza Pro: Rossi") -> WaitingFact:
    return WaitingFact(Fact(str(number), FactType.EVENT_RECORDED, NOON, EventFact(number, kind)), text, kind)


def gap(kind: FactType, **values: object) -> WaitingFact:
    return WaitingFact(Fact("g.closed", kind, NOON, GapFact("g", "history_lost")._replace(**values)))  # type: ignore[arg-type]


def test_one_fact_is_its_own_subject() -> None:
    found = instant.message([event(1, text="💰 Pagamento ricevuto: €7.99")], ROME)

    assert found.subject == found.text == "💰 Pagamento ricevuto: €\xa07,99"


def test_what_does_not_fit_is_counted_by_kind() -> None:
    found = instant.message([*(event(n) for n in range(40)), *(event(n, PAID) for n in range(6))], ROME)

    assert found.subject == "46 novità"
    assert found.text.splitlines()[-1] == "… e altri 37 (31 licenze, 6 pagamenti)"
    assert len(found.text.splitlines()) == 10


def test_a_withdrawn_fact_and_a_removed_text_are_marked() -> None:
    withdrawn = Fact("1.withdrawn", FactType.EVENT_WITHDRAWN, NOON, EventFact(1, SOLD))

    assert instant.message([WaitingFact(withdrawn, "😞 Licenza Pro cancellata: Rossi")], ROME).text == (
        "↩️ Non è più così: 😞 Licenza Pro cancellata: Rossi"
    )
    assert instant.message([event(1, text="")], ROME).text == "(testo rimosso)"


def test_an_interruption_states_its_times_and_what_was_recovered() -> None:
    night = {"since": NOON.replace(hour=1, minute=10), "until": NOON.replace(hour=3, minute=30)}
    closed = gap(FactType.GAP_CLOSED, **night, recovered={"licenses": 2, "customers": 1})
    long = gap(FactType.GAP_CLOSED, since=NOON - timedelta(days=18), until=NOON, recovered={})

    assert instant.message([closed], ROME).text == (
        "🔌 Interruzione del 26 novembre dalle 02:10 alle 04:30, recuperati 3 documenti"
    )
    assert instant.message([long], ROME).text == (
        "🔌 Interruzione dall’8 novembre alle 12:00 al 26 novembre alle 12:00, nessun documento da recuperare"
    )


def test_an_open_interruption_names_its_cause_in_italian() -> None:
    opened = GapFact("g", "history_lost", NOON)

    assert instant.interruption(opened, ROME).subject == (
        "🔌 Interruzione in corso dal 26 novembre alle 12:00: "
        "la cronologia del database non arrivava abbastanza indietro"
    )


def test_a_question_says_what_to_do() -> None:
    asked = gap(FactType.APPROVAL_REQUESTED, missing={"customers": 30, "licenses": 1})

    assert instant.message([asked], ROME).subject == (
        "🚨 Serve una decisione: dal database sono spariti 30 clienti, è sparita 1 licenza"
    )
    assert instant.message([asked], ROME).text.splitlines()[1].endswith("reconcile --accept-deletions")


kinds = st.sampled_from(EventType)
waiting = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 99), kinds).map(lambda pair: event(*pair)),
        st.just(gap(FactType.GAP_OPENED, since=NOON)),
    ),
    min_size=1,
    max_size=60,
)


@given(waiting)
def test_a_message_never_has_more_than_ten_lines_and_counts_every_fact(facts: list[WaitingFact]) -> None:
    lines = instant.message(facts, ROME).text.splitlines()

    assert 1 <= len(lines) <= instant.MAX_LINES
    if lines[-1].startswith("… e altri"):
        listed = sum(not line.startswith("I numeri") for line in lines[:-1])
        assert int(lines[-1].split()[3]) == len(facts) - listed
