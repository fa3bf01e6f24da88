"""Reports that people and scripts send."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import orjson
import pytest

from creator_pipeline.core.errors import DataError
from creator_pipeline.core.windows import now
from creator_pipeline.platforms.kdp import taught, upload
from creator_pipeline.platforms.kdp.upload import kind_of, safe_name
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.store.load import row_of, upsert
from creator_pipeline.store.tables import ingestion_jobs, kdp_uploads
from creator_pipeline_tests.support import kdp_samples, paths
from creator_pipeline_tests.support.gateway import Gateway

FIXTURES = paths.FIXTURES / "kdp"
GOOD = FIXTURES / "csv_combined_utf8.csv"
WORKBOOK = next(FIXTURES.glob("KDP_Prior_Month_Royalties-2026-03-*.xlsx"))


def send(gateway: Gateway, content: bytes, name: str = "report.csv", *, key: dict[str, str] | None) -> httpx.Response:
    return gateway.http.post("/uploads/kdp", files={"file": (name, content)}, headers=key or {})


def files(gateway: Gateway) -> list[str]:
    inbox = Path(gateway.config.inbox)
    return sorted(str(path.relative_to(inbox)) for path in inbox.rglob("*") if path.is_file())


@pytest.fixture
def inbox(shared: Gateway) -> Path:
    """The inbox, empty."""
    for name in files(shared):
        (Path(shared.config.inbox) / name).unlink()
    return Path(shared.config.inbox)


@pytest.mark.parametrize("report", [GOOD, WORKBOOK], ids=["csv", "xlsx"])
def test_a_report_lands_in_its_profile_s_folder_and_becomes_a_job(shared: Gateway, inbox: Path, report: Path):
    """Guards: an upload that was answered and isn't there."""
    content, key = report.read_bytes(), shared.key("alice")
    answer = send(shared, content, report.name, key=key)
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert told["upload_id"] == hashlib.sha256(content).hexdigest()
    assert told["verdict"] == "accept"
    assert files(shared) == [f"alice/{told['upload_id'][:16]}-{report.name}"]
    assert (inbox / files(shared)[0]).read_bytes() == content
    job = shared.http.get(f"/jobs/{told['job_id']}", headers=key).json()
    assert (job["status"], job["source"], job["kind"]) == ("queued", "kdp", "file")
    payload = next(orjson.loads(row["payload"]) for row in shared.rows(ingestion_jobs) if row["id"] == told["job_id"])
    assert payload == {"sha256": told["upload_id"], "name": report.name, "location": str(inbox / files(shared)[0])}


def test_the_same_report_again_is_the_same_job_and_is_tried_again_after_a_failure(shared: Gateway, inbox: Path):
    """Guards: two jobs for one file; and a file that can never be sent again once it failed."""
    key = shared.key("alice")
    first = send(shared, GOOD.read_bytes(), "a.csv", key=key).json()["job_id"]
    assert send(shared, GOOD.read_bytes(), "a.csv", key=key).json()["job_id"] == first
    queue: JobQueue = shared.services.queue
    lease = next(lease for lease in queue.dequeue(100, 60) if lease.id == first)
    queue.fail(lease.id, lease.attempt, "broken", None)
    send(shared, GOOD.read_bytes(), "a.csv", key=key)
    assert shared.http.get(f"/jobs/{first}", headers=key).json()["status"] == "queued"


@pytest.mark.parametrize(("status", "job"), [("accepted", "completed"), ("quarantined", "queued")])
def test_a_report_that_is_stored_already_has_a_job_that_is_done(shared: Gateway, inbox: Path, status: str, job: str):
    """Guards: a job that waits for ever, because its file came by the inbox, or before the gateway died, and is done."""
    key, content = shared.key("alice"), GOOD.read_bytes() + b"\n" * (2 if status == "accepted" else 3)
    sha256 = hashlib.sha256(content).hexdigest()
    of_file = {"id": sha256, "profile_id": "alice", "file_name": "a.csv", "location": "a.csv", "rows": 7}
    moments = {"uploaded_at": now(), "snapshot_at": now()}
    row = row_of(kdp_uploads, {**of_file, **moments, "status": status, "accepted_smaller": False, "partial": False})
    with shared.services.warehouse.write() as connection:
        upsert(connection, kdp_uploads, [row])
    told = send(shared, content, "a.csv", key=key).json()
    assert told["upload_id"] == sha256
    found = shared.http.get(f"/jobs/{told['job_id']}", headers=key).json()
    assert (found["status"], found["events_count"]) == (job, 7 if job == "completed" else None)


def test_nobody_without_a_key_writes_to_the_disk(shared: Gateway, inbox: Path):
    """Guards: strangers filling the inbox."""
    for key in (None, {"Authorization": "Bearer cpk_wrong"}, {"Authorization": "Basic abc"}, {"Authorization": ""}):
        answer = send(shared, GOOD.read_bytes(), key=key)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert files(shared) == []


def test_a_former_key_has_ended(shared: Gateway, inbox: Path):
    """Guards: a key that leaked and can't be taken back."""
    old = shared.key("bob")
    shared.key("bob")
    assert send(shared, GOOD.read_bytes(), key=old).status_code == 401


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"%PDF-1.7 x", 415),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 100, 415),
        (b"<!doctype html><p>Sign in", 415),
        (b"\x89PNG\r\n\x1a\n\x00\x00", 415),
        (b" \n", 415),
        (b"name,price\nx,1\n", 422),
        (b"PK\x03\x04 not a workbook", 422),
    ],
)
def test_what_is_no_report_is_refused_and_not_kept(shared: Gateway, inbox: Path, content: bytes, status: int):
    """Guards: pictures and web pages in the inbox, failing there night after night."""
    answer = send(shared, content, key=shared.key("alice"))
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    assert files(shared) == []


def test_what_is_wrong_in_a_report_is_named(shared: Gateway, inbox: Path):
    """Guards: 'invalid file' for a person with a table of a thousand rows."""
    answer = send(shared, (FIXTURES / "csv_missing_currency_column.csv").read_bytes(), key=shared.key("alice"))
    assert answer.status_code == 422
    assert {"code", "message", "hint", "file"} <= answer.json()["error"].keys()


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..\\..\\boot.ini",
        "/etc/cron.d/x",
        ".bashrc",
        "a\x00b.csv",
        "CON.csv",
        "x/../y.csv",
        "é" * 300,
    ],
)
def test_tricks_in_a_name_stay_a_name(shared: Gateway, inbox: Path, name: str):
    """Guards: a file written outside the inbox, or hidden in it."""
    answer = send(shared, GOOD.read_bytes(), name, key=shared.key("alice"))
    assert answer.status_code == 202, answer.text
    (kept,) = files(shared)
    assert kept.startswith(f"alice/{answer.json()['upload_id'][:16]}-")
    assert kept.endswith(".csv")
    assert kept.count("/") == 1
    assert not (inbox.parent / "passwd").exists()


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("KDP_Prior Month-2026-03.XLSX", "KDP_Prior Month-2026-03.csv"),
        (None, "report.csv"),
        ("...", "report.csv"),
        ("売上.csv", "売上.csv"),
        ("a\r\nb: c.csv", "a_b_ c.csv"),
    ],
)
def test_a_name_is_kept_as_far_as_it_is_safe(given: str | None, safe: str):
    """Guards: a person not knowing the own file again."""
    assert safe_name(given, "csv") == safe


def test_utf_16_is_text(tmp_path: Path):
    """Guards: Excel's 'Unicode text' refused for its zero bytes."""
    (tmp_path / "a").write_bytes("Title,ASIN".encode("utf-16"))
    assert kind_of(tmp_path / "a") == "csv"
    (tmp_path / "b").write_bytes(b"a\x00b")
    with pytest.raises(DataError):
        kind_of(tmp_path / "b")


@pytest.fixture
def limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A gateway that takes files of 300 kB."""
    monkeypatch.setattr(upload, "UPLOADS", replace(upload.UPLOADS, max_bytes=300_000))
    with Gateway(f"sqlite:///{tmp_path / 'warehouse.sqlite'}", kdp_inbox=str(tmp_path / "inbox")) as running:
        running.add("alice")
        yield running
        running.services.warehouse.engine.dispose()


def test_a_file_past_the_limit_is_refused_while_it_comes(limited: Gateway):
    """Guards: a disk filled before the size is checked; in one body with its length told, and without."""
    key = limited.key("alice")
    assert send(limited, b"a,b\n" * 100_000, key=key).status_code == 413
    head = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    headers = {**key, "Content-Type": "multipart/form-data; boundary=B"}
    answer = limited.http.post("/uploads/kdp", content=iter([head, *[b"a,b\n" * 20_000] * 5]), headers=headers)
    assert answer.status_code == 413
    assert files(limited) == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (b"", "multipart/form-data", 415),
        (b"garbage", "multipart/form-data; boundary=B", 400),
        (
            b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nx',
            "multipart/form-data; boundary=B",
            400,
        ),
        (
            b'--B\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--B--\r\n',
            "multipart/form-data; boundary=B",
            422,
        ),
        (b"--B\r\n" + b"h" * 9000 + b": x\r\n\r\nx\r\n--B--\r\n", "multipart/form-data; boundary=B", 400),
    ],
)
def test_a_form_that_is_none_or_is_cut_off_is_refused(
    shared: Gateway, inbox: Path, body: bytes, kind: str, status: int
):
    """Guards: half a report taken for a whole one."""
    answer = shared.http.post("/uploads/kdp", content=body, headers={**shared.key("alice"), "Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert files(shared) == []


def test_a_person_uploads_with_the_form_and_sees_the_outcome(shared: Gateway, inbox: Path):
    """Guards: a page that shows JSON; and a key in the page's address."""
    form = shared.http.get("/uploads/kdp")
    assert form.text.index('name="key"') < form.text.index('name="file"')
    key = shared.key("alice")["Authorization"].removeprefix("Bearer ")
    accepts = {"Accept": "text/html"}
    wish = {"key": (None, key), "file": ("march.csv", GOOD.read_bytes())}
    good = shared.http.post("/uploads/kdp", files=wish, headers=accepts)
    assert good.status_code == 202
    assert "march.csv" in good.text
    wish = {"key": (None, "cpk_wrong"), "file": ("march.csv", GOOD.read_bytes())}
    wrong = shared.http.post("/uploads/kdp", files=wish, headers=accepts)
    assert (wrong.status_code, wrong.headers["content-type"]) == (401, "text/html; charset=utf-8")


def test_another_profile_s_job_does_not_exist(shared: Gateway, inbox: Path):
    """Guards: guessing ids to see what others do."""
    job = send(shared, GOOD.read_bytes(), key=shared.key("alice")).json()["job_id"]
    assert shared.http.get(f"/jobs/{job}", headers=shared.key("bob")).status_code == 404
    assert shared.http.get("/jobs/none", headers=shared.key("bob")).status_code == 404
    assert shared.http.get(f"/jobs/{job}").status_code == 401


def test_a_header_that_a_person_has_taught_is_read_when_the_file_is_sent_again(shared: Gateway, inbox: Path):
    """Incident: a person's answer held on the command line, and the seller's next upload was refused again."""
    header, *rows = kdp_samples.table()
    names = {"Royalty": "Qux", "Units Sold": "Quux"}
    content = kdp_samples.as_csv([[names.get(name, name) for name in header], rows[0]])
    key = shared.key("alice")
    refused = send(shared, content, key=key)
    assert refused.status_code == 422, refused.text
    assert "Qux" in refused.text
    taught.teach(shared.services.warehouse, {"Qux": "royalty", "Quux": "units_sold"})
    answer = send(shared, content, key=key)
    assert (answer.status_code, answer.json()["verdict"]) == (202, "accept"), answer.text


def test_the_same_problem_in_many_rows_is_one_line_of_the_page(shared: Gateway, inbox: Path):
    """Incident: a page of a hundred equal lines, each with another row."""
    header, *rows = kdp_samples.table()
    for row in rows[:6]:
        row[header.index("Royalty")] = "what"
    files = {"file": ("report.csv", kdp_samples.as_csv([header, *rows]))}
    headers = {**shared.key("alice"), "Accept": "text/html"}
    answer = shared.http.post("/uploads/kdp", files=files, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.text.count("Found: what") == 1
    assert "row 2, 3, 4 and 3 more" in answer.text
