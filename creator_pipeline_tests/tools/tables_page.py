"""The page of declared tables, made from the declarations. ``python -m creator_pipeline_tests.tools.tables_page`` writes it
anew."""

from __future__ import annotations

from creator_pipeline.platforms import PLATFORMS
from creator_pipeline.runtime.table_assets import how_fresh, how_read, requests_a_night
from creator_pipeline.store.table_streams import TableStream
from creator_pipeline.store.table_views import TableView
from creator_pipeline_tests.support import paths
from creator_pipeline_tests.tools import tables_compared

PATH = paths.ROOT / "docs" / "tables.md"
_HEAD = """# Declared tables

Tables of a platform that need no rules of their own are declared, not written: `creator_pipeline/platforms/NAME/tables.py` names
the list, its columns and what tells of a person, and this page, the warehouse's table, the asset with its column schema, check,
counts and freshness, the doctor's line, erasure and the switch are made from that. The columns are in the
[data dictionary](data-dictionary.md). Each asset has a partition for each profile; the job `NAME_tables` reads them all.

- **What is gone stays**: a row that its list no longer has keeps its last state and gets `removed_at`, the moment when it was
  first missed. A row that comes back loses it. What a page hides while it changes is looked for once more before that.
- **Persons**: an address is stored as a keyed hash only; what the declaration doesn't name is not stored. Erasing a buyer
  empties the columns that tell of one.
- **Scope**: a scope that the token lacks turns off its table alone. The check `table_readable` and the doctor say so with what to
  do, and the owner is asked once by mail. A server that doesn't know a list changes nothing.
- **Switch**: `STREAMS` names the assets that are read, as `STREAMS=gumroad/subscribers,gumroad/reviews`; `all` is the default.
- **Turns**: of lists that change seldom and have no list of changes, a few are read each night, the one read longest ago first. A
  long one is read as far as it is new, and then some pages from where its last turn ended.
- **Webhooks** of the words below read what they name at once, by one request.
"""

_VIEWS = """Views of stored rows: nothing is read for them, they are never older than the report that came last, and an erasure
has nothing of them to delete. A partition is an upload and has the rows that it counts for; one that counts for fewer
because a newer report came is told anew. What does not follow without doubt has no view: pre-orders, because KDP's own
report of them names no book in a row that is known, and is refused by name; royalties, because `kdp_royalties` has
them with `counted`.
"""

_BY_DAY = """## Why no declared table is partitioned by day
Sales, payments and the feed of money are: their lists can be asked for days, and a day of them is read again without the others.
Of the declared lists Gumroad's know no dates at all. Whop's know `created_after` and `created_before` (affiliates not even those),
and none knows a time of change: a partition of the day on which a lead, an invoice or a member was made would be read when it is
new and would miss what becomes of it, and to find that each day would be asked again, a request a day where a page has a
hundred rows. So a partition is a profile; what can be asked by time of creation is read incrementally instead, the newest page
until it brings nothing, and a page of the older ones.
"""
_ONE_MORE = """## One more table
Ten lines in `creator_pipeline/platforms/NAME/tables.py`, and its name in `STREAMS` there:

```python
FILES = TableStream(
    platform="gumroad",
    name="files",
    about="A file of a product.",
    path="/v2/products/{product_id}/files",
    list_key="files",
    parents=Parents(_products(), ("product_id",), "gumroad/products"),
    scope="view_sales",
    fields=(text("id", "Gumroad's id of the file"), of_parent("product_id", "Of the product"), whole("size", "Bytes")),
)
```

By itself follow: the asset `gumroad/files` with column schema, owner, group, check, counts and freshness; its place in the job
`gumroad_tables` and so in the nightly schedule; its line on this page and in the data dictionary; `STREAMS` and the doctor's line
of it; what a missing scope does; erasure and export of a profile. A test fails until the stand-in serves its list, another until
`python -m creator_pipeline_tests.tools.revision files` has made the table.
"""


def _line(stream: TableStream) -> str:
    key = ", ".join(f"`{name}`" for name in ("profile_id", *stream.key))
    scope = f"`{stream.scope}`" if stream.scope else "any"
    webhooks = ", ".join(f"`{name}`" for name in stream.webhooks) or "none"
    cells = (f"`{stream.asset}`", f"`{stream.table.name}`", stream.about, key, how_read(stream))
    return f"| {' | '.join((*cells, how_fresh(stream), requests_a_night(stream), scope, webhooks))} |"


def _view(view: TableView) -> str:
    key = ", ".join(f"`{name}`" for name in ("profile_id", *view.key))
    return f"| `{view.asset}` | `{view.table.name}` | {view.about} | {key} | `{view.follows}` | {view.rule} |"


def text() -> str:
    """The whole page."""
    parts = [_HEAD]
    for platform in PLATFORMS:
        if platform.tables:
            streams = platform.tables.get()
            parts.append(f"## {platform.label}")
            head = (
                "asset",
                "table",
                "a row",
                "key",
                "how it is read",
                "how fresh",
                "requests a night",
                "scope",
                "webhooks",
            )
            lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *map(_line, streams)]
            parts.append("\n".join(lines) + "\n")
        if platform.views:
            parts.append(f"## {platform.label}\n{_VIEWS}")
            head = ("asset", "view", "a row", "key", "made of", "which rows")
            lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *map(_view, platform.views.get())]
            parts.append("\n".join(lines) + "\n")
    return "\n".join([*parts, _BY_DAY, tables_compared.text(), _ONE_MORE])


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
