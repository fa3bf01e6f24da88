"""What a reader sees: golden files, escaping, nothing forgotten."""

from __future__ import annotations

import re

import jinja2
import pytest

from creator_pipeline import settings as environment
from creator_pipeline.mail import kinds
from creator_pipeline.mail.kinds import KINDS
from creator_pipeline.mail.render import render
from creator_pipeline.mail.wording import MAX_ERROR, plain_error
from creator_pipeline_tests.support import paths
from creator_pipeline_tests.support.mail_samples import FOLDER, SAMPLES, parts, sample

SIGNUP = SAMPLES["signup_confirmation"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_mail_is_as_it_was_when_somebody_looked_at_it(kind: str) -> None:
    """A change of the layout spoils a mail nobody looked at. Anew: python -m creator_pipeline_tests.support.mail_samples"""
    for path, text in parts(kind).items():
        assert text == path.read_text(encoding="utf-8"), f"{path.name} differs"


def test_no_golden_file_is_left_of_a_mail_that_is_gone() -> None:
    """A file that nothing compares is taken for a test."""
    assert {path.stem for path in FOLDER.iterdir()} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_mail_has_what_a_good_one_has(kind: str) -> None:
    """Pictures that don't load, styles that are cut off, no dark mode, a text part without the link."""
    mail = sample(kind)
    # Only what rides in the mail itself, and in words too.
    pictures = re.findall(r'<img(?=[^>]* src="cid:)[^>]* alt="([^"]+)"', mail.html)
    assert len(pictures) == mail.html.count("<img")
    assert all(words in mail.text for words in pictures)
    assert '<html lang="en"' in mail.html
    assert f"<title>{mail.subject}".split("<yearly>")[0].split(" &")[0] in mail.html.replace("&lt;", "<")
    assert mail.html.count("<h1") == 1
    assert "prefers-color-scheme: dark" in mail.html
    assert 'class="preheader" style="display: none' in mail.html
    assert re.findall(r"<table(?![^>]*(?:role=\"presentation\"|class=\"figures\"))", mail.html) == []
    # Gmail cuts a mail at 102 kB.
    assert len(mail.html) < 30_000
    assert all(len(line) < 998 for line in mail.text.splitlines())
    links = {link.replace("&amp;", "&") for link in re.findall(r'href="([^"]+)"', mail.html)}
    assert all(link in mail.text for link in links)
    can_be_turned_off = KINDS[kind].category in kinds.CATEGORIES
    assert ("Manage notifications" in mail.html) is ("Manage notifications" in mail.text) is can_be_turned_off


def test_what_people_wrote_is_text_and_never_markup_or_a_header() -> None:
    """A plan's title with a tag in it, or a line break in it that begins a Bcc."""
    values = {"tier": "pro", "plan_name": "<script>x</script>\r\nBcc: everybody@example.com\u2028"}
    mail = render("subscription_updated", values, product="X")
    assert "<script>" not in mail.html
    assert "&lt;script&gt;" in mail.html
    assert mail.subject == "Your plan is now <script>x</script> Bcc: everybody@example.com"


def test_a_value_that_is_missing_is_an_error_and_no_hole_in_the_mail() -> None:
    """'Confirm here: None'."""
    with pytest.raises(jinja2.UndefinedError, match="url"):
        render("signup_confirmation", {name: value for name, value in SIGNUP.items() if name != "url"}, product="X")


def test_the_same_values_give_the_same_bytes() -> None:
    """A payload that differs under its key is refused by Resend as another mail."""
    assert sample("ingestion_failed") == sample("ingestion_failed")


def test_every_template_belongs_to_a_mail() -> None:
    """A template that nothing renders rots."""
    folder = paths.ROOT / "creator_pipeline" / "mail" / "templates"
    names = {path.name.split(".")[0] for path in folder.iterdir()} - {"base", "macros"}
    assert names == {kind.template or kind.name for kind in KINDS.values()}


TRACE = """dagster._core.errors.DagsterExecutionStepExecutionError: Error occurred while executing op "kdp":
Traceback (most recent call last):
  File "/srv/app/kdp/assets.py", line 41, in run
    rows = parse(file)
           ^^^^^^^^^^^
creator_pipeline.core.errors.DataError: report.xlsx: row 7 has no date.
"""


def test_an_error_is_told_without_its_stack_trace() -> None:
    """A seller reads 'File "/srv/app/…", line 41'."""
    text = plain_error(TRACE, environment.load())
    assert text.endswith("DataError: report.xlsx: row 7 has no date.")
    assert "line 41" not in text
    assert "parse(file)" not in text


@pytest.mark.parametrize(
    "secret",
    [
        "re_4fJk29dLsQ8x7v",
        "whsec_MfKQ9r8GKYqrTwjU",
        "Bearer abcdefgh12345",
        "postgresql://user:hunter22@db.example.com/x",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
        "buyer@example.org",
        "access_token=s3cr3tvalue",
    ],
)
def test_an_error_is_told_without_secrets_and_buyers(secret: str) -> None:
    """A token in a mailbox."""
    text = plain_error(f"GET /v2/sales failed: {secret} (HTTP 500)", environment.load())
    for part in ("4fJk29", "MfKQ9r", "abcdefgh", "hunter22", "eyJzdWI", "buyer@", "s3cr3t"):
        assert part not in text
    assert "HTTP 500" in text


def test_a_secret_of_the_environment_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that looks like nothing special."""
    monkeypatch.setenv("GUMROAD_CLIENT_SECRET", "plainlookingvalue")
    assert plain_error("refused plainlookingvalue", environment.load()) == "refused ***"


def test_a_long_or_empty_error_stays_readable() -> None:
    """A page of HTML in a mail."""
    assert len(plain_error("x" * 5000, environment.load())) == MAX_ERROR
    assert plain_error(" \n", environment.load()) == "No reason was given."
