"""Many files at once: few runs, turns between profiles, one mail, and a kill that loses and doubles nothing."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
from sqlalchemy import select

from creator_pipeline.platforms.kdp import assets
from creator_pipeline.store.tables import email_messages, kdp_files, profiles
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_inbox import Inbox
from creator_pipeline_tests.support.kdp_samples import as_csv, table

ROYALTIES = dg.AssetKey(["kdp", "royalties"])
GOOD, BAD = 5, 2


def drop_many(folder: Path, good: int = GOOD, bad: int = BAD) -> None:
    """A file for each day, and some with rows that can't be read."""
    header, row = table()[:2]
    date, royalty, sold, author = map(header.index, ("Royalty Date", "Royalty", "Units Sold", "Author Name"))
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(good + bad):
        line = list(row)
        line[author] = folder.name
        line[date], line[royalty] = f"2026-03-{number + 1:02}", f"{number + 1}.00"
        if number >= good:
            line[sold] = "many"
        (folder / f"{folder.name}-{number + 1:02}.csv").write_bytes(as_csv([header, line]))


def mails(inbox: Inbox) -> list[tuple[str, str, str]]:
    with inbox.warehouse.read() as connection:
        rows = connection.execute(select(email_messages.c.kind, email_messages.c.subject, email_messages.c.payload))
        return [(kind, subject, json.loads(payload)["text"]) for kind, subject, payload in rows]


def money(inbox: Inbox) -> dict[str, str]:
    return kdp_landing.royalties(inbox.warehouse)


def test_a_drop_is_one_run_for_each_profile_and_one_mail_for_each_owner(inbox):
    """Guards: a process for each of 3,000 files, and as many mails with a hash in place of the name."""
    drop_many(inbox.root / "alice")
    drop_many(inbox.root / "bea", good=GOOD + 1, bad=0)
    requests = {request.tags["creator_pipeline/files"]: request for request in inbox.asked()}
    assert set(requests) == {"alice", "bea"}
    results = {name: inbox.run(request) for name, request in requests.items()}
    assert (results["alice"].success, results["bea"].success) == (False, True)
    assert mails(inbox) == []
    for _ in range(2):
        assert not inbox.tick().run_requests
    told = {kind: (subject, text) for kind, subject, text in mails(inbox)}
    assert set(told) == {"files_refused", "files_read"}
    subject, text = told["files_refused"]
    assert subject == "Amazon KDP: 2 of 7 files need you"
    assert "2 files: held back" in text
    assert "alice-06.csv, alice-07.csv" in text
    assert "5 files: taken" in text
    assert "creator-pipeline" not in text
    assert len(mails(inbox)) == 2
    partitions = {record.partition_key for record in inbox.instance.fetch_materializations(ROYALTIES, limit=50).records}
    assert len(partitions) == GOOD + GOOD + 1
    assert money(inbox) == {"USD": "36.00"}


def test_nobody_is_told_who_wants_no_mails_and_a_copy_is_named(inbox):
    """Guards: a mail to who turned them off, and a file of the drop of which nothing is said."""
    with inbox.warehouse.write() as connection:
        connection.execute(profiles.update().where(profiles.c.id == "bea").values(notify="none"))
    for name in ("alice", "bea"):
        drop_many(inbox.root / name, good=2 if name == "alice" else 3, bad=0)
    kdp_landing.drop(inbox.root / "alice" / "alice-01.csv", inbox.root / "alice", "again.csv")
    for request in inbox.asked():
        assert inbox.run(request).success
    inbox.tick()
    inbox.tick()
    ((kind, _, text),) = mails(inbox)
    assert kind == "files_read"
    assert "1 file: the same as another file: counted once" in text
    with inbox.warehouse.read() as connection:
        assert connection.execute(select(kdp_files.c.location).where(kdp_files.c.untold)).all() == []


def test_a_request_that_was_lost_is_made_again_and_none_is_made_while_a_run_works(inbox):
    """Guards: files that nobody takes after a daemon was killed, and files that two runs read at once."""
    drop_many(inbox.root / "alice")
    inbox.tick()
    (lost,) = inbox.tick(ends_well=False).run_requests
    (again,) = inbox.tick().run_requests
    assert again.run_key == lost.run_key
    job = ingest_job()
    run = inbox.instance.create_run_for_job(job, tags=again.tags, status=dg.DagsterRunStatus.STARTED)
    assert not inbox.tick().run_requests
    inbox.instance.report_run_failed(run)
    alone, rest = inbox.tick().run_requests
    assert alone.partition_key
    assert rest.run_key != again.run_key
    for request in (alone, rest):
        inbox.run(request)
    assert money(inbox) == {"USD": "15.00"}


def ingest_job() -> dg.JobDefinition:
    from creator_pipeline.definitions import defs

    return defs.resolve_job_def("kdp_ingest")


def test_a_run_that_is_killed_between_a_commit_and_its_log_loses_and_doubles_nothing(inbox, monkeypatch):
    """Guards: a file whose partition stays empty in the UI, and files that are read once more after a crash."""
    drop_many(inbox.root / "alice", bad=0)
    (request,) = inbox.asked()
    real, count = assets.ingest, 0

    def killed(*values: object, **named: object) -> object:
        nonlocal count
        done = real(*values, **named)
        count += 1
        if count == 3:
            raise dg.Failure("killed", allow_retries=False)
        return done

    monkeypatch.setattr(assets, "ingest", killed)
    assert not inbox.run(request).success
    (first,) = inbox.instance.get_runs(limit=1)
    monkeypatch.setattr(assets, "ingest", lambda *values, **named: read.append(values) or real(*values, **named))
    read: list[object] = []
    again = ingest_job().execute_in_process(
        instance=inbox.instance,
        tags={
            **request.tags,
            "dagster/retry_number": "1",
            "dagster/parent_run_id": first.run_id,
            "dagster/root_run_id": first.run_id,
        },
        raise_on_error=False,
    )
    assert again.success
    landed = [record.partition_key for record in inbox.instance.fetch_materializations(ROYALTIES, limit=50).records]
    assert sorted(landed) == sorted(set(landed))
    assert len(landed) == GOOD
    assert money(inbox) == {"USD": "15.00"}
    assert len(read) == 3
