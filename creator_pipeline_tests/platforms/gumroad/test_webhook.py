"""What a ping names, and what a buyer can make it say."""

from __future__ import annotations

from datetime import date
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creator_pipeline.platforms.gumroad.webhook import profile_secret, read, recognise
from creator_pipeline_tests.support import paths

FIXTURES = paths.FIXTURES / "gumroad"
FORM = "application/x-www-form-urlencoded"


def fixture(name: str):
    return read((FIXTURES / name).read_bytes(), FORM)


def test_a_sale_is_named_with_its_day():
    """Guards: a sale that isn't read again."""
    ping = fixture("ping_sale_jpy.txt")
    assert (ping.sale_ids, ping.resource_name, ping.sale_day) == (
        ("5eJ8odwyRPobC5MH5vti8g==",),
        "sale",
        date(2026, 9, 19),
    )
    assert not ping.days_needed
    assert not ping.alike


def test_a_cancellation_names_its_membership_and_asks_for_no_sale_of_it():
    """Guards: events of memberships that name nothing, having no sale_id; and all their charges read one by one."""
    ping = fixture("ping_cancellation.txt")
    assert ping.purchase_ids == ("cGnZSZ_C2OyrfIVixNT6iw==", "6KB_T1mVxVes9uXcWuRQPQ==")
    assert ping.sale_ids == ()
    assert ping.resource_name == "cancellation"


def test_json_says_the_same_as_a_form():
    """Guards: a host that is sent JSON hearing nothing."""
    ping = read((FIXTURES / "ping_sale_zapier_json.json").read_bytes(), "application/json; charset=utf-8")
    assert ping.sale_ids
    assert ping.seller_id


def test_the_settings_page_s_button_and_a_test_purchase_are_no_reason_to_look_away():
    """Guards: a buyer's custom field called test hiding a sale."""
    ping = fixture("ping_account_test_button.txt")
    assert ping.test
    assert ping.resource_name is None
    assert ping.sale_ids


@pytest.mark.parametrize("field", ["sale_id", "seller_id", "sale_timestamp", "subscription_id"])
def test_a_name_that_is_also_a_custom_field_s_is_not_read(field: str):
    """Guards: a buyer who writes another sale, or another seller, into a form."""
    body = f"seller_id=s1&sale_id=real&subscription_id=sub&sale_timestamp=2026-11-20T10:00:00Z&resource_name=sale&{field}=x"
    honest = body.removesuffix(f"&{field}=x")
    overwritten = (
        "&".join(pair if not pair.startswith(f"{field}=") else f"{field}=other" for pair in honest.split("&"))
        + f"&{quote(f'custom_fields[{field}]')}=other"
    )
    ping = read(overwritten.encode(), FORM)
    assert "other" not in {*ping.sale_ids, ping.subscription_id, ping.seller_id}
    assert ping.days_needed == (field == "sale_id")
    assert read(honest.encode(), FORM).sale_ids == ("real",)


def test_two_values_for_one_name_are_none():
    """Guards: parsers that disagree on which of two wins."""
    ping = read(b"sale_id=a&sale_id=b", FORM)
    assert ping.sale_ids == ()
    assert ping.days_needed


@pytest.mark.parametrize("odd", ["../../user", "a b", "x" * 65, "é", "a/b", "%00"])
def test_an_id_that_would_not_be_safe_in_a_path_is_none(odd: str):
    """Guards: a request of ours to an address that a buyer chose."""
    assert read(f"sale_id={odd}".encode(), FORM).sale_ids == ()


@given(st.binary(max_size=300), st.sampled_from([FORM, "application/json", ""]))
def test_any_bytes_are_read_without_failing(body: bytes, kind: str):
    """Guards: a 500 that makes Gumroad send garbage four times."""
    assert len(read(body, kind).delivery_id) == 40


def test_the_count_of_tries_does_not_make_a_new_delivery():
    """Guards: retries counted as events; and two events taken for one."""
    body = (FIXTURES / "ping_sale_retry_1.txt").read_bytes()
    again = body.replace(b"retry_count=1", b"retry_count=2")
    assert read(body, FORM).delivery_id == read(again, FORM).delivery_id
    other = body.replace(b"quantity=1", b"quantity=2")
    assert other != body
    assert read(body, FORM).delivery_id != read(other, FORM).delivery_id


def test_only_refunds_can_be_alike_and_a_retry_is_not():
    """Guards: the second partial refund, which has the first one's very words."""
    body = (FIXTURES / "ping_refund_partial.txt").read_bytes()
    assert read(body, FORM).alike
    assert not read(body + b"&retry_count=1", FORM).alike


def test_an_address_is_one_profile_s_or_everybody_s():
    """Guards: one profile's address working for another."""
    mine = profile_secret("secret", "alice")
    assert recognise("secret", mine) == (True, "alice")
    assert recognise("secret", "secret") == (True, None)
    for wrong in (mine.replace("alice", "bob"), mine[:-1], "alice", "alice.", "", profile_secret("old", "alice")):
        assert recognise("secret", wrong) == (False, None)


def test_a_membership_is_named_where_no_sale_is():
    """Guards: the end of a membership that names nothing, and a renewal that is read twice over."""
    alone = read(b"subscription_id=sub1&resource_name=subscription_ended", FORM)
    both = read(b"subscription_id=sub1&sale_id=s1&resource_name=sale", FORM)
    assert (alone.sale_ids, alone.subscription_id) == ((), "sub1")
    assert (both.sale_ids, both.subscription_id) == (("s1",), None)


def test_the_address_of_a_profile_is_its_own():
    """Guards: a ping that is taken for everybody's, or for nobody's."""
    own = profile_secret("secret", "alice")
    # Registered at Gumroad: another one after an upgrade would be nobody's.
    assert own == "alice.KQqG3l4eIeAjUxR0aDxDPrpVWOz_QEC6nO1RntgyRKI"
    assert recognise("secret", own) == (True, "alice")
    assert recognise("secret", "secret") == (True, None)
    for wrong in (profile_secret("other", "alice"), own.replace("alice", "bea"), own + "x", "alice", "", "."):
        assert recognise("secret", wrong) == (False, None)


def test_flags_in_json_are_those_of_a_form():
    """Guards: a test ping that is taken for none because it came as JSON."""
    assert read(b'{"sale_id": "s1", "test": true}', "application/json").test
    assert not read(b'{"sale_id": "s1", "test": false}', "application/json").test
