"""An update of a mirror document: whatever the two states are, the stored document becomes that of the new one."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from daemon.store.mirror import states
from rules.model.changes import License, LicenseStatus, LicenseValue, Source
from rules.model.events import EventType
from rules.model.ledger import MovementKind, Reason
from rules.model.recent import FactObservation, PendingSwitch, RecentActivity
from rules.model.states import CustomerState, LicenseState
from rules.settings.settings import Settings

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)

ids = st.sampled_from([ObjectId(f"{number:024x}") for number in range(3)])
instants = st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours))
values = st.one_of(st.none(), ids, instants, st.sampled_from(["", "active", "TechCorp"]))
fields = st.dictionaries(st.sampled_from(["name", "company", "customer_id", "plan_id", "expires_at"]), values)
cents = st.sampled_from([0, 799, 1999])
worths = st.builds(LicenseValue, ids, st.booleans(), cents, st.booleans())
swings = st.builds(
    PendingSwitch,
    instants,
    ids,
    st.sampled_from(MovementKind),
    st.sampled_from(Reason),
    st.just("key"),
    st.none() | worths,
    st.none() | worths,
)
swings_lists = st.lists(swings, max_size=2).map(tuple)
sightings = st.builds(
    FactObservation, instants, ids, st.just(EventType.PAYMENT_COMPLETED), cents, st.sampled_from(["", "g"])
)
latelies = st.builds(RecentActivity, swings_lists, st.none() | swings, st.lists(sightings, max_size=2).map(tuple))
counts = st.integers(0, 2)
customers = st.builds(
    CustomerState, ids, fields, st.booleans(), cents, counts, counts, st.booleans(), st.none() | latelies
)
licenses = st.builds(
    LicenseState,
    ids,
    fields,
    st.none() | st.builds(License, ids, ids, st.sampled_from(LicenseStatus), st.none() | instants, st.booleans()),
    st.none() | worths,
    st.booleans(),
    st.none() | st.just("status must be known"),
    st.lists(ids, max_size=2).map(tuple),
)


def updated(document: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    """As the server does; every path we write is a field of the document, or of its `fields`."""
    result = {**document, "fields": dict(document["fields"])}
    for path, value in update.get("$set", {}).items():
        _place(result, path)[path.rpartition(".")[2]] = value
    for path in update.get("$unset", {}):
        del _place(result, path)[path.rpartition(".")[2]]
    return result


def _place(document: dict[str, Any], path: str) -> dict[str, Any]:
    place: dict[str, Any] = document["fields"] if "." in path else document
    return place


@given(customers, customers)
def test_a_customers_stored_document_becomes_that_of_the_next_state(
    before: CustomerState, after: CustomerState
) -> None:
    update = states.customer_difference(before, after)

    assert updated(states.customer_document(before), update) == states.customer_document(after)
    assert bool(update) == (states.customer_document(before) != states.customer_document(after))


@given(licenses, licenses)
def test_a_licences_stored_document_becomes_that_of_the_next_state(before: LicenseState, after: LicenseState) -> None:
    update = states.license_difference(before, after)

    assert updated(states.license_document(before), update) == states.license_document(after)
    assert bool(update) == (states.license_document(before) != states.license_document(after))


@given(licenses)
def test_the_last_valid_version_of_a_stored_license_is_read_as_it_was(state: LicenseState) -> None:
    """Of one that is held or deleted; another one has the fields of its document."""
    if state.held is None:
        state.deleted = True
    document = {**states.license_document(state), "_id": states.mirror_id(Source.LICENSES, state.id)}

    assert states.license_of(document, Settings()).license == state.license
