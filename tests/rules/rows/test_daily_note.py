from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.insights import growth, milestones
from rules.model.events import EventType
from rules.model.ledger import Totals
from rules.rows.daily_note import Fact, compose, emoji, lines
from rules.settings.catalog import SEPARATOR, STYLES, euro
from rules.settings.settings import Settings

SETTINGS = Settings()


def test_a_day_without_events_has_no_note() -> None:
    assert compose([], SETTINGS) == ""


def test_facts_stand_by_kind_the_most_important_first() -> None:
    facts = [
        Fact("feature_released", "Rilasciata integrazione Claude 3.5 Sonnet"),
        Fact("payment_completed", "Pagamento ricevuto: €7.99 da StartupMilano"),
        Fact("new_customer", "Nuovo cliente: TechCorp Italia"),
        Fact("license_created", "Nuova licenza Pro: StartupMilano"),
    ]

    assert compose(facts, SETTINGS) == (
        "🎉 Nuovo cliente: TechCorp Italia • 🎫 Nuova licenza Pro: StartupMilano • "
        "💰 Pagamento ricevuto: €7.99 da StartupMilano • 🚀 Rilasciata integrazione Claude 3.5 Sonnet"
    )


def test_many_facts_of_a_kind_are_a_count_with_the_first_names() -> None:
    facts = [Fact("new_customer", f"Nuovo cliente: C{n}", f"C{n}") for n in range(12)]

    assert compose(facts, SETTINGS) == "🎉 12 nuovi clienti: C0, C1 e altri 10"


def test_others_are_only_those_who_are_not_named() -> None:
    def sold(*names: str) -> str:
        return compose([Fact("license_created", f"Nuova licenza Pro: {name}", name) for name in names], SETTINGS)

    assert sold("Ada", "Ada", "Ada", "Ada") == "🎫 4 nuove licenze: Ada"
    assert sold("Ada", "Bea", "Ada", "Bea") == "🎫 4 nuove licenze: Ada, Bea"
    assert sold("Ada", "Bea", "Ada", "Clio") == "🎫 4 nuove licenze: Ada, Bea e un altro"
    assert sold("Ada", "", "Bea", "Clio", "") == "🎫 5 nuove licenze: Ada, Bea e altri 3"
    namesakes = [Fact("new_customer", "Nuovo cliente: Ada", "Ada", owner=str(number)) for number in range(4)]
    assert compose(namesakes, SETTINGS) == "🎉 4 nuovi clienti: Ada e altri 3"


def test_facts_that_read_alike_are_told_once_with_their_number() -> None:
    paid = [Fact("payment_completed", f"Pagamento ricevuto: {euro(cents)}", id=cents) for cents in (299, 799, 299)]
    told = lines(paid, SETTINGS)

    assert compose(paid, SETTINGS) == "💰 Pagamento ricevuto: €2.99 (2 volte) • 💰 Pagamento ricevuto: €7.99"
    assert [(line.facts, line.ids) for line in told] == [(2, (299, 299)), (1, (799,))]


def test_a_licence_that_ended_and_came_back_reads_in_that_order() -> None:
    facts = [
        Fact("license_activated", "Licenza riattivata: Pro, Ada"),
        Fact("license_expired", "Licenza scaduta: Pro, Ada"),
    ]

    assert compose(facts, SETTINGS) == "⌛ Licenza scaduta: Pro, Ada • ✅ Licenza riattivata: Pro, Ada"


def test_many_facts_without_names_are_a_count() -> None:
    assert compose([Fact("server_issue", "giù")] * 5, SETTINGS) == "🔥 5 problemi al server"


def test_an_emoji_that_a_text_brought_along_is_not_doubled() -> None:
    assert compose([Fact("new_customer", "🎉 Nuovo cliente: Ada")], SETTINGS) == "🎉 Nuovo cliente: Ada"


def test_an_event_nobody_knows_comes_last_with_a_plain_mark() -> None:
    facts = [Fact("mystery", "Boh"), Fact("maintenance", "Aggiornamento")]

    assert compose(facts, SETTINGS) == "🔧 Aggiornamento • • Boh"


def test_a_hostile_text_stays_on_one_line() -> None:
    note = compose([Fact("support_ticket", "a\n\u202eb\x1b[0m")], SETTINGS)

    assert note == "🎧 a b[0m"


def test_a_name_cannot_pass_for_a_second_fact() -> None:
    name = "Ada • 💰 Pagamento ricevuto: €1000"

    assert compose([Fact("new_customer", f"Nuovo cliente: {name}", name)], SETTINGS).count(SEPARATOR) == 0
    assert compose([Fact("new_customer", "x", name)] * 4, SETTINGS).count(SEPARATOR) == 0


def test_a_note_that_does_not_fit_says_how_many_facts_it_leaves_out() -> None:
    facts = [Fact("milestone_reached", "x" * 38 + str(n)) for n in range(6)] + [Fact("server_issue", "giù")] * 10

    note = compose(facts, Settings(note_length=120))

    assert note == SEPARATOR.join(["🏆 " + "x" * 38 + str(n) for n in range(2)] + ["… e altri 14"])


def test_what_does_not_fit_is_counted_the_least_important_first_before_anything_is_left_out() -> None:
    kinds = ("new_customer", "license_renewed", "license_expired")
    facts = [Fact(kind, f"{'x' * 30} {kind} {n}", f"C{n}") for kind in kinds for n in range(3)]
    facts.append(Fact("milestone_reached", "Raggiunti 100 clienti totali!"))
    customers = SEPARATOR.join(f"🎉 {'x' * 30} new_customer {n}" for n in range(3))
    renewed = SEPARATOR.join(f"🔄 {'x' * 30} license_renewed {n}" for n in range(3))
    milestone = "🏆 Raggiunti 100 clienti totali!"
    expired = "⌛ 3 licenze scadute: C0, C1 e un altro"

    assert compose(facts, Settings(note_length=500)).endswith(f"license_expired 2 • {milestone}")
    assert compose(facts, Settings(note_length=400)) == SEPARATOR.join([customers, renewed, expired, milestone])
    assert compose(facts, Settings(note_length=300)) == SEPARATOR.join(
        [customers, "🔄 3 licenze rinnovate: C0, C1 e un altro", expired, milestone]
    )


def test_many_payments_of_customers_whom_the_note_names_are_a_number() -> None:
    def day(*payers: str) -> str:
        renewed = [Fact("license_renewed", "Licenza rinnovata", name) for name in ("Ada", "Bea", "Clio", "Dina")]
        return compose([*renewed, *(Fact("payment_completed", "x", name, short="y") for name in payers)], SETTINGS)

    assert day("Ada", "Bea", "Clio", "Dina").startswith("💰 4 pagamenti ricevuti • 🔄 4 licenze rinnovate: Ada, Bea e")
    assert day("Ada", "Ugo", "Clio", "Dina").startswith("💰 4 pagamenti ricevuti: Ada, Ugo e altri 2 • 🔄 4 ")


def test_a_note_that_leaves_out_one_fact_says_so_in_the_singular() -> None:
    facts = [Fact("new_customer", "x" * 40), Fact("license_created", "y" * 40)]

    assert compose(facts, Settings(note_length=70)) == "🎉 " + "x" * 40 + " • … e un altro"


@given(
    st.lists(st.builds(Fact, st.sampled_from([*EventType, "?"]), st.text(max_size=80), st.text(max_size=20))),
    st.integers(40, 300),
)
def test_a_note_is_never_longer_than_its_limit_and_always_one_line(facts: list[Fact], limit: int) -> None:
    note = compose(facts, Settings(note_length=limit))

    assert len(note) <= limit
    assert len(note.splitlines()) <= 1
    assert bool(note) == bool(facts)


def test_every_kind_of_event_has_an_emoji_and_a_rank_of_its_own() -> None:
    assert STYLES.keys() == set(EventType)
    assert len({style.rank for style in STYLES.values()}) == len(STYLES)


@pytest.mark.parametrize(("cents", "text"), [(799, "€7.99"), (5, "€0.05"), (-1205, "-€12.05"), (0, "€0.00")])
def test_cents_read_as_the_table_shows_them(cents: int, text: str) -> None:
    assert euro(cents) == text


def test_the_houses_own_events_make_the_example_of_a_good_week() -> None:
    noon = datetime(2025, 8, 20, 10, tzinfo=UTC)
    milestone, _ = milestones.reached(milestones.Milestone.CUSTOMERS, 25, noon, {"customers": 24}, SETTINGS)
    grown, _ = growth.grown(Totals(mrr_cents=125_99), Totals(mrr_cents=100_00), noon, noon.date(), {}, SETTINGS)
    assert milestone is not None
    facts = [Fact(e.type, e.description, "", emoji(e.type, e.metadata, SETTINGS)) for e in (milestone, *grown)]
    facts.append(Fact("partnership", "Discussione partnership con azienda AI"))

    assert compose(facts, SETTINGS) == (
        "🎉 Raggiunti 25 clienti totali! • 📈 MRR aumentato di €25.99 in 7 giorni! • "
        "🤝 Discussione partnership con azienda AI"
    )


def test_a_payment_names_its_customer_unless_the_note_does_already() -> None:
    payment = Fact("payment_completed", "Pagamento ricevuto: €7.99 da Ada", "Ada", short="Pagamento ricevuto: €7.99")
    license = Fact("license_created", "Nuova licenza Pro: Ada", "Ada")

    assert compose([payment], SETTINGS) == "💰 Pagamento ricevuto: €7.99 da Ada"
    assert compose([license, payment], SETTINGS) == "🎫 Nuova licenza Pro: Ada • 💰 Pagamento ricevuto: €7.99"
    assert compose([license._replace(name="Bea"), payment], SETTINGS).endswith(" da Ada")
