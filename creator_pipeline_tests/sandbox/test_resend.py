"""The stand-in of Resend is as strict as the service, and its inbox can be read."""

import pytest

from creator_pipeline_tests.support import local_http

MAIL = {
    "from": "Pipeline <a@example.com>",
    "to": ["b@example.net"],
    "subject": "Hi <b>",
    "html": "<p>x</p>",
    "text": "x",
}
KEYED = {"Idempotency-Key": "k"}


@pytest.fixture
def mail_api(server):
    """A client with a good key."""
    with local_http.Client(base_url=server.resend_url, headers={"Authorization": "Bearer re_test"}) as client:
        yield client


def name_of(answer):
    return answer.status_code, answer.json()["name"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"from": ""}, (422, "missing_required_field")),
        ({"to": []}, (422, "missing_required_field")),
        ({"subject": None}, (422, "missing_required_field")),
        ({"html": None, "text": None}, (422, "missing_required_field")),
        ({"to": ["nobody"]}, (422, "validation_error")),
        ({"to": ["b@example.net"] * 51}, (422, "validation_error")),
        ({"tags": [{"name": "a b", "value": "c"}]}, (422, "validation_error")),
    ],
)
def test_bad_mails_are_refused_and_may_be_corrected_under_their_key(server, mail_api, change, expected):
    """Guards: a mail that only the service refuses."""
    assert name_of(mail_api.post("/emails", json={**MAIL, **change}, headers=KEYED)) == expected
    assert server.resend.inbox == []
    assert mail_api.post("/emails", json=MAIL, headers=KEYED).status_code == 200


def test_keys_are_asked_for(server, mail_api):
    """Guards: a client that sends 'Bearer None'."""
    with local_http.Client(base_url=server.resend_url) as nobody:
        assert name_of(nobody.post("/emails", json=MAIL)) == (401, "missing_api_key")
    bad = {"Authorization": "Bearer None"}
    assert name_of(mail_api.post("/emails", json=MAIL, headers=bad)) == (403, "invalid_api_key")
    long = {"Idempotency-Key": "k" * 257}
    assert name_of(mail_api.post("/emails", json=MAIL, headers=long)) == (400, "invalid_idempotency_key")
    assert mail_api.get("/domains").json()["data"][0]["status"] == "verified"


def test_a_batch_is_all_or_nothing_unless_permissive(server, mail_api):
    """Guards: half a batch taken for a whole one."""
    batch = [MAIL, {**MAIL, "to": []}]
    assert name_of(mail_api.post("/emails/batch", json=batch)) == (422, "missing_required_field")
    lenient = mail_api.post("/emails/batch", json=batch, headers={"x-batch-validation": "permissive"}).json()
    assert (len(lenient["data"]), lenient["errors"][0]["index"]) == (1, 1)
    assert name_of(mail_api.post("/emails/batch", json=[MAIL] * 101)) == (422, "validation_error")
    again = [mail_api.post("/emails/batch", json=[MAIL, MAIL], headers=KEYED).json() for _ in range(2)]
    assert again[0] == again[1]
    assert len(server.resend.inbox) == 3


def test_the_rate_limit_is_of_all_keys_together(server, mail_api):
    """Guards: a pace above the service's going unnoticed."""
    server.resend.per_second = 2
    answers = [mail_api.post("/emails", json=MAIL, headers={"Authorization": f"Bearer re_{n}"}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1"
    assert name_of(answers[2]) == (429, "rate_limit_exceeded")


def test_the_inbox_shows_what_was_sent_as_text_that_can_not_act(server, mail_api):
    """Guards: a mail that runs in the page that shows it."""
    assert "Nothing was sent yet" in mail_api.get("/inbox").text
    sent = mail_api.post("/emails", json={**MAIL, "html": "<script>x</script>"}, headers=KEYED).json()["id"]
    page = mail_api.get("/inbox").text
    assert "Hi &lt;b&gt;" in page
    shown = mail_api.get(f"/inbox/{sent}").text
    assert "<iframe sandbox srcdoc=" in shown
    assert "<script>" not in shown
    assert mail_api.get("/inbox/unknown").status_code == 404
    assert mail_api.get("/_sandbox/inbox").json()[0]["idempotency_key"] == "k"
    assert mail_api.get(f"/emails/{sent}").json()["last_event"] == "delivered"
    assert name_of(mail_api.get("/emails/unknown")) == (404, "not_found")


def test_faults_of_mail_are_switched_on_by_other_processes(server, mail_api):
    """Guards: a demo that can't show an outage."""
    wish = {"every": {"2": "daily_quota_exceeded"}, "path": "/emails"}
    assert mail_api.post("/_sandbox/faults", json=wish).json() == {"ok": True}
    assert mail_api.post("/emails", json=MAIL).status_code == 200
    assert name_of(mail_api.post("/emails", json=MAIL)) == (429, "daily_quota_exceeded")
