"""What the owner of a report that is held back can say of it on the creator's page."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import delete

from creator_pipeline.mail import page_link
from creator_pipeline.platforms.kdp.held import work_off
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import kdp_royalties, kdp_uploads, sales_events
from creator_pipeline_tests.support import pages
from creator_pipeline_tests.support.gateway import Gateway
from creator_pipeline_tests.support.kdp_landing import MADE_AT, land, ledger
from creator_pipeline_tests.support.kdp_samples import as_csv, table


@pytest.fixture
def gateway(sqlite_warehouse: Warehouse) -> Iterator[Gateway]:
    """With two profiles."""
    with Gateway(sqlite_warehouse.engine.url.render_as_string()) as running:
        for name in ("alice", "bob"):
            running.add(name)
        yield running


def opened(gateway: Gateway, profile_id: str = "alice") -> pages.Page:
    """The page of a profile, opened by its link."""
    link = page_link.url(gateway.config, profile_id, f"{profile_id}@example.com")
    return pages.Page(gateway.http.get(httpx.URL(link).path, follow_redirects=True).text)


def tell(gateway: Gateway, upload_id: str, choice: str, form: str) -> httpx.Response:
    """A button of a report that is held back."""
    return gateway.http.post("/me/uploads/kdp", data={"form": form, "upload": upload_id, "choice": choice})


@pytest.mark.parametrize(
    ("choice", "shell"), [("part", {"partial": True}), ("smaller", {"accept_smaller": True}), ("wrong", None)]
)
def test_a_report_that_is_held_back_is_decided_by_its_owner(gateway: Gateway, tmp_path, choice: str, shell) -> None:
    """Incident: "held back: another account's file", and nothing on the seller's page that could be done."""
    warehouse = gateway.services.warehouse
    rows = table()
    whole, less = tmp_path / "whole.csv", tmp_path / "less.csv"
    whole.write_bytes(as_csv(rows))
    less.write_bytes(as_csv(rows[:-6]))
    land(warehouse, whole)
    before = ledger(warehouse)
    held = land(warehouse, less, at=MADE_AT + 60)
    assert held.status == "quarantined"
    page = opened(gateway)
    assert page.find("button", name="choice") == ["It is only a part", "It is right as it is", "It is the wrong file"]
    assert pages.faults(page.text) == []
    form = page.value("form")
    # Neither another page's form nor another profile's owner decides.
    assert tell(gateway, held.file.upload_id, choice, "forged").status_code == 403
    gateway.http.cookies.clear()
    other = opened(gateway, "bob")
    assert tell(gateway, held.file.upload_id, choice, other.value("form")).status_code == 404
    assert ledger(warehouse) == before
    gateway.http.cookies.clear()
    form = opened(gateway).value("form")
    assert tell(gateway, held.file.upload_id, "everything", form).status_code == 404
    answer = tell(gateway, held.file.upload_id, choice, form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/me?saved#uploads-kdp")
    page = pages.Page(gateway.http.get("/me").text)
    assert page.find("button", name="choice") == []
    assert "Being worked on" in page.text
    assert ledger(warehouse) == before, "the page itself writes no ledger"
    assert work_off(warehouse) == [f"The owner of upload {held.file.upload_id[:12]} of alice said: {choice}."]
    assert work_off(warehouse) == []
    now_there = ledger(warehouse)
    assert tell(gateway, held.file.upload_id, choice, form).status_code == 404
    if shell is None:
        assert now_there == before
        return
    with warehouse.write() as connection:
        for one in (kdp_uploads, kdp_royalties, sales_events):
            connection.execute(delete(one))
    land(warehouse, whole)
    land(warehouse, less, at=MADE_AT + 60, **shell)
    assert now_there == ledger(warehouse)
