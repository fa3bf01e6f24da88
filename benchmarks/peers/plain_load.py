"""The plain reference: month windows in parallel threads, ``requests``, COPY of id, price and the JSON text.

``plain_load.py URL TOKENS DSN SCHEMA``. No types, no ledger, no second thoughts.
"""

import io
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import orjson
import psycopg2
import requests

READERS = 32

base, tokens, dsn, schema = sys.argv[1:]
local = threading.local()


def windows():
    """Quarters of the last three years, which a person would know to ask for."""
    end = date.today() + timedelta(days=2)
    return [(end - timedelta(days=91 * (n + 1)), end - timedelta(days=91 * n)) for n in range(12)]


def read(token, window) -> io.StringIO:
    """All pages of one window as COPY's text."""
    if not hasattr(local, "session"):
        local.session = requests.Session()
    headers = {"Authorization": f"Bearer {token}"}
    asked = {"after": str(window[0]), "before": str(window[1])}
    text = io.StringIO()
    while True:
        answer = local.session.get(f"{base}/v2/sales", params=asked, headers=headers, timeout=30)
        answer.raise_for_status()
        body = orjson.loads(answer.content)
        for sale in body["sales"]:
            raw = orjson.dumps(sale).decode().replace("\\", r"\\")
            text.write(f"{sale['id']}\t{sale['price']}\t{raw}\n")
        if "next_page_key" not in body:
            text.seek(0)
            return text
        asked["page_key"] = body["next_page_key"]


connection = psycopg2.connect(dsn)
cursor = connection.cursor()
cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
cursor.execute(f"CREATE TABLE IF NOT EXISTS {schema}.sales (id text PRIMARY KEY, price bigint, data text)")
cursor.execute(f"CREATE TEMPORARY TABLE stage (LIKE {schema}.sales)")
with ThreadPoolExecutor(READERS) as pool:
    jobs = [pool.submit(read, token, window) for token in tokens.split(",") for window in windows()]
    for job in jobs:
        cursor.copy_expert("COPY stage FROM STDIN", job.result())
cursor.execute(
    f"INSERT INTO {schema}.sales SELECT * FROM stage"
    " ON CONFLICT (id) DO UPDATE SET price = excluded.price, data = excluded.data"
)
connection.commit()
