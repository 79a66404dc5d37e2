from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.insights import growth, milestones
from rules.model.events import EventType
from rules.model.ledger import Totals
from rules.rows.daily_note import Fact, Group, compose, emoji, lines
from rules.rows.named_customers import MAX_CUSTOMERS
from rules.settings.catalog import SEPARATOR, STYLES, euro
from rules.settings.settings import Settings

SETTINGS = Settings()


def test_a_day_without_events_has_no_note() -> None:
    assert compose([], SETTINGS) == ""


def test_facts_are_grouped_by_kind_most_important_first() -> None:
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


def test_the_number_of_others_excludes_named_customers() -> None:
    def sold(*names: str) -> str:
        return compose([Fact("license_created", f"Nuova licenza Pro: {name}", name) for name in names], SETTINGS)

    assert sold("Ada", "Ada", "Ada", "Ada") == "🎫 4 nuove licenze: Ada"
    assert sold("Ada", "Bea", "Ada", "Bea") == "🎫 4 nuove licenze: Ada, Bea"
    assert sold("Ada", "Bea", "Ada", "Clio") == "🎫 4 nuove licenze di 3 clienti: Ada, Bea e un altro"
    assert sold("Ada", "", "Bea", "Clio", "") == "🎫 5 nuove licenze: Ada, Bea e altri 3"
    namesakes = [Fact("new_customer", "Nuovo cliente: Ada", "Ada", owner=str(number)) for number in range(4)]
    assert compose(namesakes, SETTINGS) == "🎉 4 nuovi clienti: Ada e altri 3"


def test_facts_of_equal_text_are_listed_once_with_their_number() -> None:
    paid = [Fact("payment_completed", f"Pagamento ricevuto: {euro(cents)}", id=cents) for cents in (299, 799, 299)]
    found = lines(paid, SETTINGS)

    assert compose(paid, SETTINGS) == "💰 Pagamento ricevuto: €2.99 (2 volte) • 💰 Pagamento ricevuto: €7.99"
    assert [(line.facts, line.ids) for line in found] == [(2, (299, 299)), (1, (799,))]


def test_a_license_that_ended_and_was_reactivated_is_listed_in_that_order() -> None:
    facts = [
        Fact("license_activated", "Licenza Pro riattivata: Ada"),
        Fact("license_expired", "Licenza Pro scaduta: Ada"),
    ]

    assert compose(facts, SETTINGS) == "⌛ Licenza Pro scaduta: Ada • ✅ Licenza Pro riattivata: Ada"


def test_many_facts_without_names_are_a_count() -> None:
    assert compose([Fact("server_issue", "giù")] * 5, SETTINGS) == "⚠️ 5 problemi al server"


def test_an_emoji_that_a_text_begins_with_is_not_repeated() -> None:
    assert compose([Fact("new_customer", "🎉 Nuovo cliente: Ada")], SETTINGS) == "🎉 Nuovo cliente: Ada"


def test_an_unknown_event_type_comes_last_with_an_emoji_of_its_own() -> None:
    facts = [Fact("mystery", "Boh"), Fact("maintenance", "Aggiornamento")]

    assert compose(facts, SETTINGS) == "🔧 Aggiornamento • 🔹 Boh"


def test_a_hostile_text_stays_on_one_line() -> None:
    note = compose([Fact("support_ticket", "a\n\u202eb\x1b[0m")], SETTINGS)

    assert note == "💬 a b[0m"


def test_a_name_cannot_look_like_a_second_fact() -> None:
    name = "Ada • 💰 Pagamento ricevuto: €1000"

    assert compose([Fact("new_customer", f"Nuovo cliente: {name}", name)], SETTINGS).count(SEPARATOR) == 0
    assert compose([Fact("new_customer", "x", name)] * 4, SETTINGS).count(SEPARATOR) == 0


def test_a_note_that_does_not_fit_has_the_number_of_omitted_facts() -> None:
    facts = [Fact("milestone_reached", "x" * 38 + str(n)) for n in range(6)] + [Fact("server_issue", "giù")] * 10

    note = compose(facts, Settings(note_length=120))

    assert note == SEPARATOR.join(["🏆 " + "x" * 38 + str(n) for n in range(2)] + ["… e altri 14 eventi"])


def test_the_least_important_facts_are_counted_before_any_are_omitted() -> None:
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


def test_many_payments_of_already_named_customers_are_a_count_without_names() -> None:
    def day(*payers: str) -> str:
        renewed = [Fact("license_renewed", "Licenza rinnovata", name) for name in ("Ada", "Bea", "Clio", "Dina")]
        return compose([*renewed, *(Fact("payment_completed", "x", name, short="y") for name in payers)], SETTINGS)

    assert day("Ada", "Bea", "Clio", "Dina").startswith("💰 4 pagamenti ricevuti • 🔄 4 licenze rinnovate: Ada, Bea e")
    assert day("Ada", "Ugo", "Clio", "Dina").startswith("💰 4 pagamenti ricevuti: Ada, Ugo e altri 2 • 🔄 4 ")


def test_one_omitted_fact_is_in_the_singular() -> None:
    facts = [Fact("new_customer", "x" * 40), Fact("license_created", "y" * 40)]

    assert compose(facts, Settings(note_length=70)) == "🎉 " + "x" * 40 + " • … e un altro evento"


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


def test_own_events_give_the_golden_note_of_a_good_week() -> None:
    noon = datetime(2025, 8, 20, 10, tzinfo=UTC)
    milestone, _ = milestones.reached(milestones.Milestone.CUSTOMERS, 25, noon, {"customers": 24}, SETTINGS)
    grown, _ = growth.detect(Totals(mrr_cents=125_99), Totals(mrr_cents=100_00), noon, noon.date(), {}, SETTINGS)
    assert milestone is not None
    facts = [Fact(e.type, e.description, "", emoji(e.type, e.metadata, SETTINGS)) for e in (milestone, *grown)]
    facts.append(Fact("partnership", "Discussione partnership con azienda AI"))

    assert compose(facts, SETTINGS) == (
        "🎉 Raggiunti 25 clienti totali! • 📈 MRR aumentato di €25.99 in 7 giorni! • "
        "🤝 Discussione partnership con azienda AI"
    )


def test_a_payment_names_its_customer_unless_another_line_does() -> None:
    payment = Fact("payment_completed", "Pagamento ricevuto: €7.99 da Ada", "Ada", short="Pagamento ricevuto: €7.99")
    license = Fact("license_created", "Nuova licenza Pro: Ada", "Ada")

    assert compose([payment], SETTINGS) == "💰 Pagamento ricevuto: €7.99 da Ada"
    assert compose([license, payment], SETTINGS) == "🎫 Nuova licenza Pro: Ada • 💰 Pagamento ricevuto: €7.99"
    assert compose([license._replace(name="Bea"), payment], SETTINGS).endswith(" da Ada")


def test_a_count_names_the_number_of_customers_if_it_differs() -> None:
    sold = [Fact("license_created", "x", f"C{n % 58}", owner=str(n % 58)) for n in range(62)]
    paid = [Fact("payment_completed", "x", f"C{n % 58}", owner=str(n % 58), cents=799) for n in range(62)]

    assert compose(sold, SETTINGS) == "🎫 62 nuove licenze di 58 clienti: C0, C1 e altri 56"
    assert compose(paid, SETTINGS) == "💰 62 pagamenti ricevuti (€495.38) da 58 clienti: C0, C1 e altri 56"
    assert compose(sold, Settings(note_names=0)) == "🎫 62 nuove licenze"


def test_a_count_of_payments_has_their_sum_if_every_amount_is_known() -> None:
    paid = [Fact("payment_completed", "x", f"C{n}", cents=n * 100 + 99) for n in range(5)]
    refunded = [Fact("payment_refunded", "x", f"C{n}", cents=500) for n in range(4)]

    assert compose(paid, SETTINGS) == "💰 5 pagamenti ricevuti (€14.95): C0, C1 e altri 3"
    assert compose(refunded, SETTINGS) == "↩️ 4 rimborsi (€20.00): C0, C1 e altri 2"
    assert compose([*paid, Fact("payment_completed", "x", "C9")], SETTINGS).startswith("💰 6 pagamenti ricevuti: C0")


def test_customers_are_counted_in_bounded_memory() -> None:
    many = [Fact("license_created", "x", f"C{n}", owner=str(n)) for n in range(MAX_CUSTOMERS + 5)]
    group = Group("license_created", SETTINGS)
    for fact in many:
        group.add(fact)

    assert len(group.customers.owners) == MAX_CUSTOMERS + 1
    assert compose(many, SETTINGS) == "🎫 10005 nuove licenze: C0, C1 e altri clienti"


def test_many_sales_of_a_limited_plan_are_one_fact_with_the_last_number() -> None:
    sales = [
        Fact("milestone_reached", f"Founders Deal venduto: ne restano {left}", id=left, series="founders")
        for left in range(499, 485, -1)
    ]
    facts = [*sales[:7], Fact("milestone_reached", "Raggiunti 25 clienti totali!", emoji="🎉", id=1), *sales[7:]]
    found = lines(facts, SETTINGS)

    assert compose(facts, SETTINGS) == "🏆 Founders Deal venduto: ne restano 486 • 🎉 Raggiunti 25 clienti totali!"
    assert [(line.facts, len(line.ids)) for line in found] == [(14, 14), (1, 1)]


def test_a_milestone_is_never_cut_in_favor_of_routine() -> None:
    routine = [Fact(kind, "x" * 60, id=kind) for kind in ("new_customer", "license_created", "license_expired")]
    milestones_reached = [Fact("milestone_reached", f"Raggiunti {n} clienti totali!") for n in (25, 50)]
    expected = "🏆 Raggiunti 25 clienti totali! • 🏆 Raggiunti 50 clienti totali!"

    assert compose([*routine, *milestones_reached], Settings(note_length=160)) == (
        f"🎉 {'x' * 60} • {expected} • … e altri 2 eventi"
    )
    assert compose([*routine, *milestones_reached], Settings(note_length=100)) == f"{expected} • … e altri 3 eventi"
    assert compose(milestones_reached, Settings(note_length=60)) == (
        "🏆 Raggiunti 25 clienti totali! • … e un altro evento"
    )


@pytest.mark.parametrize(
    ("kind", "text", "line"),
    [
        ("milestone_reached", "🎉 Raggiunti 25 clienti totali!", "🎉 Raggiunti 25 clienti totali!"),
        ("marketing_campaign", "📧 Newsletter inviata", "📧 Newsletter inviata"),
        ("support_ticket", "🩷 Grazie", "🩷 Grazie"),
        ("maintenance", "1️⃣ Primo passo", "1️⃣ Primo passo"),
        ("partnership", "🇮🇹 Italia", "🇮🇹 Italia"),
        ("partnership", "→ Accordo", "🤝 → Accordo"),
        ("partnership", "25 accordi", "🤝 25 accordi"),
        ("mystery", "Articolo 11", "🔹 Articolo 11"),
        ("mystery", "• Articolo 11", "🔹 · Articolo 11"),
    ],
)
def test_a_fact_has_one_emoji_its_texts_own_if_it_begins_with_one(kind: str, text: str, line: str) -> None:
    assert compose([Fact(kind, text, emoji="🎉" if kind == "milestone_reached" else "")], SETTINGS) == line


def test_a_note_cannot_be_run_by_a_spreadsheet_even_without_configured_emoji() -> None:
    bare = STYLES | {EventType.MAINTENANCE: STYLES[EventType.MAINTENANCE]._replace(emoji="")}

    assert compose([Fact("maintenance", "=HYPERLINK(1)")], Settings(styles=bare)) == "🔹 =HYPERLINK(1)"
    assert compose([Fact("maintenance", "Riavvio")], Settings(styles=bare)) == "Riavvio"


def test_names_read_well_and_are_safe_in_the_dashboards_page() -> None:
    names = ["L'Officina D'Angelo", 'A\\B <C> & "D"', "Rossi & Figli", "Tom&#39;s"]
    facts = [Fact("new_customer", "x", name, owner=name) for name in names]

    assert compose(facts, Settings(note_names=4)) == (
        "🎉 4 nuovi clienti: L’Officina D’Angelo, A/B ‹C› & “D”, Rossi & Figli, Tom＆#39;s"
    )


def test_a_placeholder_or_forgotten_customer_is_not_among_the_first_names() -> None:
    names = ["un cliente inserito a mano", "un cliente rimosso", "cliente rimosso", "Ada", "Bea"]
    facts = [Fact("license_created", "x", name, owner=str(place)) for place, name in enumerate(names)]

    assert compose(facts, SETTINGS) == "🎫 5 nuove licenze: Ada, Bea e altri 3"
    assert compose([Fact("new_customer", "Nuovo cliente: x", names[0])], SETTINGS) == ""
