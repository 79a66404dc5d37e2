"""Ids of events, and the cluster time inside a resume token."""

from bson.timestamp import Timestamp

from daemon.mongo import collections
from daemon.mongo.cluster_time import token_time


def test_a_resume_tokens_time_is_read_from_its_keystring() -> None:
    assert token_time({"_data": "826B04B503000000042B0229296E04"}) == Timestamp(0x6B04B503, 4)
    for odd in (None, {}, {"_data": 5}, {"_data": "83"}, {"_data": "99" * 20}):
        assert token_time(odd) is None


def test_the_same_key_always_makes_the_same_event_id() -> None:
    assert collections.event_id("license_created:1") == collections.event_id("license_created:1")
    assert collections.event_id("license_created:1") != collections.event_id("license_created:2")
    assert collections.event_id("\ud800") is not None
