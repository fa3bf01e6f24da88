"""The least that a load can be: pages one after the other, COPY of id, price and JSON.

``copy_load.py URL TOKENS DSN SCHEMA``. No model, no ledger, no comparison with what is stored.
"""

import http.client
import io
import sys
from urllib.parse import urlencode, urlsplit

import orjson
import psycopg2

base, tokens, dsn, schema = sys.argv[1:5]
FEW = 5_000


def store(cursor, rows: list[dict]) -> None:
    """COPY them."""
    lines = (f"{row['id']}\t{row['price']}\t{orjson.dumps(row).decode().translate(ESCAPES)}\n" for row in rows)
    cursor.copy_expert(f"COPY {schema}.sales (id, price, raw) FROM STDIN", io.StringIO("".join(lines)))
    rows.clear()


ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
connection = psycopg2.connect(dsn)
with connection, connection.cursor() as cursor:
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    cursor.execute(f"CREATE TABLE {schema}.sales (id text PRIMARY KEY, price bigint, raw text)")
    server, rows = http.client.HTTPConnection(urlsplit(base).netloc), []
    for token in tokens.split(","):
        asked = {"after": "2000-01-01", "before": "2027-12-31"}
        while True:
            server.request("GET", f"/v2/sales?{urlencode(asked)}", headers={"Authorization": f"Bearer {token}"})
            body = orjson.loads(server.getresponse().read())
            rows += body["sales"]
            if len(rows) >= FEW:
                store(cursor, rows)
            if not body.get("next_page_key"):
                break
            asked["page_key"] = body["next_page_key"]
    store(cursor, rows)
connection.close()
