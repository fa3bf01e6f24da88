"""dlt's ``rest_api`` source into PostgreSQL: ``dlt_load.py URL TOKENS DSN SCHEMA [parallelized]``.

Every field is kept; nested ones as JSON columns instead of child tables, and the table is replaced instead of merged:
both cost dlt less.
"""

import os
import sys
import tempfile

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"

import dlt
from dlt.sources.rest_api import rest_api_resources

base, tokens, dsn, schema, *how = sys.argv[1:]


def with_password(url: str) -> str:
    """dlt refuses a DSN without one, also where the server asks for none."""
    scheme, _, rest = url.partition("://")
    user, at, place = rest.partition("@")
    return url if ":" in user or not at else f"{scheme}://{user}:none@{place}"


@dlt.source(name="gumroad", max_table_nesting=0)
def gumroad():
    """One resource for each account, all into the table ``sales``."""
    for number, token in enumerate(tokens.split(",")):
        resources = rest_api_resources(
            {
                "client": {
                    "base_url": f"{base}/v2",
                    "auth": {"type": "bearer", "token": token},
                    "paginator": {"type": "cursor", "cursor_path": "next_page_key", "cursor_param": "page_key"},
                },
                "resources": [
                    {
                        "name": f"sales{number}",
                        "table_name": "sales",
                        "primary_key": "id",
                        "write_disposition": "replace",
                        "endpoint": {
                            "path": "sales",
                            "params": {"after": "2000-01-01", "before": "2027-12-31"},
                            "data_selector": "sales",
                        },
                    }
                ],
            }
        )
        for resource in resources:
            yield resource.parallelize() if "parallelized" in how else resource


with tempfile.TemporaryDirectory() as folder:
    pipeline = dlt.pipeline(
        "gumroad", destination=dlt.destinations.postgres(with_password(dsn)), dataset_name=schema, pipelines_dir=folder
    )
    pipeline.run(gumroad())
