"""Notes and `auto_events` from any mixture of external texts show no private data and break no page and no file."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from daemon.rollup.event_descriptions import CHUNK_SIZE, EventDescriber
from daemon.rollup.row_builder import facts
from daemon.web.api.event_items import event_item
from rules.model.changes import License, LicenseStatus, Plan
from rules.model.events import EventType
from rules.model.states import CustomerState, LicenseState, PlanState
from rules.rows import daily_note, row
from rules.settings.settings import Settings

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
SETTINGS = Settings()
EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
KEY = re.compile(r"CHA(-[0-9A-F]{8}){4}", re.IGNORECASE)
LICENSE_KEY = "CHA-0123ABCD-4567EF01-89ABCDEF-00112233"
PRO = Plan("p", "pro", "Pro - AI Inclusa", 799, 799, False)
FOUNDERS = Plan("f", "founders", "Founders Deal - Lifetime", 2900, 0, True, 500)


class FakeMirror:
    """The states of a small shop; remembers how many ids were asked for at once."""

    def __init__(self, names: dict[Any, str], licenses: dict[Any, Any] | None = None) -> None:
        self.names = names
        self.owners = licenses or {}
        self.largest = self.queries = 0

    def plans(self) -> dict[Any, PlanState]:
        self.queries += 1
        return {plan.id: PlanState(plan.id, {}, plan) for plan in (PRO, FOUNDERS)}

    def customers(self, ids: list[Any]) -> list[CustomerState]:
        self._count(ids)
        found = {key: {"name": name} for key, name in self.names.items()} | {"manual": MANUAL}
        return [CustomerState(key, found[key], present=True) for key in ids if key in found]

    def licenses(self, ids: list[Any]) -> list[LicenseState]:
        self._count(ids)
        owned = {key: License(owner, "p", LicenseStatus.ACTIVE, None, False) for key, owner in self.owners.items()}
        return [LicenseState(key, {}, owned[key]) for key in ids if key in owned]

    def _count(self, ids: list[Any]) -> None:
        self.queries += 1
        self.largest = max(self.largest, len(ids))


MANUAL = {"name": "Manual License", "email": "manual@chatello.io"}


def described(events: Iterable[dict[str, Any]], mirror: FakeMirror, settings: Settings = SETTINGS) -> list[Any]:
    return list(EventDescriber(mirror, settings).describe(events))  # type: ignore[arg-type]


def event(kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"_id": 1, "event_type": kind, "event_date": NOON, "description": text, **more}


def note(events: list[dict[str, Any]], mirror: FakeMirror, settings: Settings = SETTINGS) -> str:
    return daily_note.compose(facts(described(events, mirror, settings), settings), settings)


PARTS = (
    *(
        "Ada",
        "a@b.it",
        "(ada.rossi@example.co.uk)",
        LICENSE_KEY,
        LICENSE_KEY.lower(),
        "x@y@z.it",
        "'); alert(1)//",
        "\\",
    ),
    *("<script>", "=HYPERLINK(1)", '"', "`", "&#39;", "•", "🎉", "\u200d", "@", "CHA-", "L'Orso", "+39", "🏆 🎉", "—"),
)
WORDS = st.sampled_from(PARTS)
TEXTS = st.one_of(st.lists(WORDS, max_size=6).map(" ".join), st.lists(WORDS, max_size=6).map("".join), st.text())
EVENTS = st.lists(
    st.builds(
        event,
        st.sampled_from([*EventType, "mystery", "mail@x.it"]),
        TEXTS,
        customer_id=st.sampled_from((None, "c", "d", "gone", "manual", 7, [1], {"$ne": None}, float("nan"))),
        license_id=st.sampled_from((None, "l", "lost", True)),
        plan_name=st.one_of(st.none(), st.sampled_from(("pro", "founders")), TEXTS),
        amount=st.one_of(st.none(), st.floats(), st.text(max_size=3), st.booleans()),
        currency=st.sampled_from((None, "EUR", "eur", "USD", 7)),
        metadata=st.one_of(
            st.none(),
            TEXTS,
            st.fixed_dictionaries({"customer_name": TEXTS, "name": TEXTS}),
            st.fixed_dictionaries({"founders_remaining": st.one_of(st.integers(-1, 500), TEXTS), "license_key": TEXTS}),
            st.fixed_dictionaries({"milestone_type": TEXTS, "milestone_value": st.one_of(st.floats(), TEXTS)}),
            st.fixed_dictionaries({"growth_period": TEXTS, "mrr_growth": st.one_of(st.floats(), TEXTS)}),
        ),
    ),
    max_size=12,
)


def strings(value: Any) -> Iterator[str]:
    """Yield every text in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from strings([*value, *value.values()])
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


@given(EVENTS, TEXTS, TEXTS)
def test_no_event_of_the_api_or_of_an_export_has_an_email_address_or_a_license_key(
    events: list[dict[str, Any]], name: str, other: str
) -> None:
    describer = EventDescriber(FakeMirror({"c": name, "d": other}, {"l": "c"}), SETTINGS)  # type: ignore[arg-type]
    shown = list(describer.shown(events))
    texts = [text for one in shown for text in strings([one, event_item(one).model_dump()])]

    assert len(shown) == len(events)
    assert [text for text in texts if EMAIL.search(text) or KEY.search(text)] == []
    assert all(one.keys() - {"metadata"} <= other.keys() for one, other in zip(events, shown, strict=True))


def test_the_api_describes_an_external_event_from_the_mirror_and_keeps_its_other_fields() -> None:
    stored = event("license_created", f"Licenza Pro inserita manualmente: {LICENSE_KEY}", license_id="l", amount=None)
    [shown] = EventDescriber(FakeMirror({"c": "Ada"}, {"l": "c"}), SETTINGS).shown([stored])  # type: ignore[arg-type]
    item = event_item(shown)

    assert (item.description, item.customer_name, item.amount) == ("Nuova licenza Pro: Ada", "Ada", None)


@given(EVENTS, TEXTS, TEXTS)
def test_no_note_and_no_auto_event_has_an_email_address_or_a_license_key(
    events: list[dict[str, Any]], name: str, other: str
) -> None:
    shown = described(events, FakeMirror({"c": name, "d": other}, {"l": "c"}))
    texts = [daily_note.compose(facts(shown, SETTINGS), SETTINGS)]
    for stored in shown:
        entry = row.auto_event(stored, SETTINGS)
        texts += [entry["type"], entry["description"]]

    for text in texts:
        assert EMAIL.search(text) is None
        assert KEY.search(text) is None


class Button(HTMLParser):
    """Reads the attributes of the first tag."""

    attributes: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.attributes is None:
            self.attributes = dict(attrs)


def pressed(html_text: str) -> str | None:
    """Return what the dashboard's button passes to its script; None if the tag or the string ends early."""
    button = Button()
    button.feed(f"<button onclick=\"editNotes('id', '{html_text}')\" class=\"edit\">")
    button.close()
    if button.attributes is None or button.attributes.keys() != {"onclick", "class"}:
        return None
    found = re.fullmatch(r"editNotes\('id', '([^'\\\n\r\u2028\u2029]*)'\)", button.attributes["onclick"] or "")
    return found[1] if found else None


@given(EVENTS, TEXTS)
def test_a_note_survives_the_dashboards_edit_button_and_every_file(events: list[dict[str, Any]], name: str) -> None:
    """The dashboard's template escapes HTML; a quoted JavaScript string inside an attribute it does not."""
    found = note(events, FakeMirror({"c": name}, {"l": "c"}))
    escaped = found.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")

    assert pressed(escaped) == found
    assert not set(found) & set("<>'\\`\n\r\x1b\0")
    assert not found.startswith(("=", "+", "-", "@"))


@given(TEXTS)
def test_a_name_survives_the_button_even_where_nothing_is_escaped(name: str) -> None:
    found = note([event("new_customer", "x", customer_id="c")], FakeMirror({"c": name}))

    assert pressed(found) == found


def test_a_fact_with_a_document_is_described_from_the_mirror() -> None:
    mirror = FakeMirror({"c": "L'Officina D'Angelo"}, {"l": "c"})
    cases = [
        (event("new_customer", "Nuovo: a@b.it", customer_id="c"), "Nuovo cliente: L’Officina D’Angelo"),
        (event("license_created", "Omaggio", license_id="l"), "Nuova licenza Pro: L’Officina D’Angelo"),
        (event("license_activated", "x", license_id="l"), "Licenza Pro riattivata: L’Officina D’Angelo"),
        (event("license_cancelled", "x", customer_id="c"), "Licenza cancellata: L’Officina D’Angelo"),
        (event("plan_upgraded", "x", license_id="l"), "Upgrade Pro: L’Officina D’Angelo"),
        (event("payment_completed", "x", license_id="l"), "Pagamento ricevuto: €7.99 da L’Officina D’Angelo"),
        (
            event("payment_failed", "x", customer_id="c", amount=5.0),
            "Pagamento fallito: €5.00 di L’Officina D’Angelo",
        ),
        (
            event("plan_upgraded", "x", license_id="l", plan_name="founders", metadata={"previous_plan": "pro"}),
            "Upgrade Pro → Founders Deal: L’Officina D’Angelo",
        ),
        (
            event("payment_completed", "x", customer_id="c", amount=9.0, currency="USD"),
            "Pagamento ricevuto: L’Officina D’Angelo",
        ),
    ]

    for stored, text in cases:
        [found] = described([stored], mirror)
        assert (found["description"], found["customer_id"]) == (text, "c")


def test_an_external_text_stays_where_no_document_is_behind_it() -> None:
    cases = [
        (event("license_created", "Licenza omaggio"), "Licenza omaggio"),
        (event("marketing_campaign", "📧 Newsletter da info@x.it, aperta"), "📧 Newsletter da … aperta"),
        (event("support_ticket", "Ticket di a@b.it", customer_id="c"), "Ticket di …"),
        (event("partnership", 'Accordo "Alfa"'), 'Accordo "Alfa"'),
        (event("media_mention", "a@b.it"), "Menzione sui media"),
        (event("milestone_reached", "Primo convegno!"), "Primo convegno!"),
        (event("mystery", LICENSE_KEY), "Evento"),
    ]

    assert [found["description"] for found in described([one for one, _ in cases], FakeMirror({"c": "Ada"}))] == [
        text for _, text in cases
    ]


def test_a_milestone_of_the_dashboard_has_our_own_text() -> None:
    cases = [
        ({"milestone_type": "licenses", "milestone_value": 10}, "Raggiunte 10 licenze attive!"),
        ({"growth_period": "7_days", "mrr_growth": 25.99}, "MRR aumentato di €25.99 in 7 giorni!"),
        ({"founders_remaining": 468, "license_key": LICENSE_KEY}, "Founders Deal venduto: ne restano 468"),
        ({"founders_remaining": 32}, "Founders Deal: solo 32 rimasti!"),
    ]

    for metadata, text in cases:
        [found] = described([event("milestone_reached", "🚀 Raggiunti!", metadata=metadata)], FakeMirror({}))
        assert found["description"] == text


def test_a_placeholder_customer_is_no_news_and_is_not_named() -> None:
    mirror = FakeMirror({f"c{number}": f"C{number}" for number in range(4)})
    entered = [event("license_created", f"Licenza: {LICENSE_KEY}", customer_id="manual", plan_name="founders")]
    sold = [event("license_created", "x", customer_id=f"c{number}", plan_name="pro") for number in range(4)]
    created = event("new_customer", "Nuovo cliente registrato: Manual License", customer_id="manual")

    assert note([created], mirror) == ""
    assert note([created, *entered], mirror) == "🎫 Nuova licenza Founders Deal inserita manualmente"
    assert note([created, *entered, *sold], mirror) == "🎫 5 nuove licenze: C0, C1 e altri 3"


def test_a_busy_day_is_read_in_chunks_and_a_day_of_own_events_needs_no_lookup() -> None:
    mirror = FakeMirror({number: f"C{number}" for number in range(1200)})
    busy = [event("new_customer", "x", customer_id=number) for number in range(1200)]
    own = {"source": "chatello-analytics", "customer_name": "Ada"}

    assert note(busy, mirror) == "🎉 1200 nuovi clienti: C0, C1 e altri 1198"
    assert (mirror.largest, mirror.queries) == (CHUNK_SIZE, 4)
    described([event("new_customer", "Nuovo cliente: Ada", customer_id=1, metadata=own)], mirror)
    assert mirror.queries == 4
