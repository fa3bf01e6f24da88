"""External assets: where the lineage begins, at the platforms, and where it ends, at the bank. Nothing here runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dagster as dg

from creator_pipeline.platforms.contract import Platform
from creator_pipeline.runtime.keys import asset_key
from creator_pipeline.runtime.links import external, see

BANK = "bank"


def specs(platforms: Sequence[Platform]) -> Iterator[dg.AssetSpec]:
    """What is read from each of these platforms, and the bank that their payouts go to.

    Args:
        platforms: those of the code location.
    """
    for platform in platforms:
        if platform.origin is not None:
            yield dg.AssetSpec(
                external(platform.name),
                description=platform.origin.about,
                # In the box of what is read from it.
                group_name=platform.name,
                kinds={platform.name},
                metadata={"url": dg.MetadataValue.url(platform.origin.url)},
            )
    books = [asset_key("books", platform.name) for platform in platforms if platform.books is not None]
    if books:
        yield dg.AssetSpec(
            external(BANK),
            deps=books,
            description="The sellers' bank accounts, to which payouts go. Nothing is read from a bank: that a payout "
            f"has arrived is the platform's word.{see('books.md')}",
            group_name=BANK,
            kinds={BANK},
        )
