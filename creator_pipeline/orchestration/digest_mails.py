"""Job ``digest_mails``: last week's figures, to everybody who wants them."""

from datetime import date

import dagster as dg
from pydantic import Field

from creator_pipeline import settings
from creator_pipeline.core.errors import DataError, PipelineError
from creator_pipeline.core.windows import today
from creator_pipeline.ledger import weekly
from creator_pipeline.mail import digest
from creator_pipeline.platforms import sources
from creator_pipeline.runtime.resources import WarehouseResource


class DigestConfig(dg.Config):
    """Which week, ``2026-W47``; empty: the last whole one. A mail that was written is not written again."""

    week: str = Field(default="", description="ISO week, as 2026-W47; empty: the last whole one.")


@dg.op(name="write_digests", description="Writes a mail for each profile that wants it; the outbox sends them.")
def write_digests(context: dg.OpExecutionContext, config: DigestConfig, warehouse: WarehouseResource) -> None:
    """One profile's fault keeps no mail from another.

    Raises:
        PipelineError: somebody's mail could not be written; names them.
    """
    stored, environment = warehouse.open(), settings.load()
    monday = _monday(config.week)
    failed: list[str] = []
    for profile_id in digest.readers(stored):
        try:
            key = digest.write(stored, environment, profile_id, monday, sources())
        except PipelineError as error:
            context.log.error("The digest of %s could not be written: %s", profile_id, error)
            failed.append(profile_id)
        else:
            context.log.info("%s: %s", profile_id, key or "nothing to tell")
    if failed:
        raise DataError(
            f"The digests of {', '.join(failed)} could not be written.",
            hint=f"Read the log above, then start digest_mails again with week: {weekly.iso_name(monday)}.",
        )


def _monday(week: str) -> date:
    try:
        return weekly.monday_of(week) if week else weekly.last_whole(today())
    except ValueError:
        raise DataError(f"{week!r} is no week.", hint="It looks like 2026-W47.") from None


@dg.job(
    name="digest_mails",
    description="Writes the weekly digest of every profile that wants it.",
    executor_def=dg.in_process_executor,
)
def digest_mails() -> None:
    """One op: see :func:`write_digests`."""
    write_digests()
