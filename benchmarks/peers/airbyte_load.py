"""Airbyte's CDK with a declarative manifest, and a COPY sink: ``airbyte_load.py URL TOKENS DSN SCHEMA``.

The connector runs in this process; its records go straight to the sink, without the JSON lines between two containers.
"""

import io
import logging
import sys
from pathlib import Path

import orjson
import psycopg2
import yaml
from airbyte_cdk.models import (
    AirbyteStream,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    SyncMode,
    Type,
)
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

BATCH = 2_000

base, tokens, dsn, schema = sys.argv[1:]
MANIFEST = yaml.safe_load((Path(__file__).parent / "gumroad.yaml").read_text())
CATALOG = ConfiguredAirbyteCatalog(
    streams=[
        ConfiguredAirbyteStream(
            stream=AirbyteStream(name="sales", json_schema={}, supported_sync_modes=[SyncMode.full_refresh]),
            sync_mode=SyncMode.full_refresh,
            destination_sync_mode=DestinationSyncMode.overwrite,
        )
    ]
)


class Sink:
    """COPY of id, price and the record's JSON, and an upsert from there."""

    def __init__(self) -> None:
        self.connection = psycopg2.connect(dsn)
        self.cursor = self.connection.cursor()
        self.cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        self.cursor.execute(f"CREATE TABLE IF NOT EXISTS {schema}.sales (id text PRIMARY KEY, price bigint, data text)")
        self.cursor.execute(f"CREATE TEMPORARY TABLE stage (LIKE {schema}.sales)")
        self.rows: list[str] = []

    def add(self, record) -> None:
        """Keep one record."""
        text = orjson.dumps(record).decode().replace("\\", r"\\")
        self.rows.append(f"{record['id']}\t{record['price']}\t{text}\n")
        if len(self.rows) == BATCH:
            self.flush()

    def flush(self) -> None:
        """Hand the batch to the database."""
        self.cursor.copy_expert("COPY stage FROM STDIN", io.StringIO("".join(self.rows)))
        self.rows.clear()

    def close(self) -> None:
        """Upsert and commit."""
        self.flush()
        self.cursor.execute(
            f"INSERT INTO {schema}.sales SELECT * FROM stage"
            " ON CONFLICT (id) DO UPDATE SET price = excluded.price, data = excluded.data"
        )
        self.connection.commit()


sink = Sink()
for token in tokens.split(","):
    config = {"base": base, "token": token, "__injected_declarative_manifest": MANIFEST}
    source = ConcurrentDeclarativeSource(CATALOG, config, None, source_config=MANIFEST)
    for message in source.read(logging.getLogger("airbyte"), config, CATALOG, None):
        if message.type == Type.RECORD:
            sink.add(message.record.data)
sink.close()
