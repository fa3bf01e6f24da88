"""The Whop account of the money fixtures behind real HTTP: its feed, balance, reports, payouts and payments."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline_tests.support.whop_samples import NoPace, fixture

Json = dict[str, Any]
MANIFEST = fixture("money/manifest")
ACCOUNT = "biz_VrSQQCBbLG8tP1"
PAID = MANIFEST["files"]["financial_activity_of_payout.json"]["payout_id"]
RETURNED = "wdrl_tipEOSCG1zr0Wp"
ON_THE_WAY = "wdrl_V03VKl5A6QXaTX"
NAMES: dict[str, str] = MANIFEST["names"]


def exact(line: Json) -> Decimal:
    """Amount of a line in units of its currency."""
    return Decimal(line["amount"]) / Decimal(line["currency"]["precision"])


def a_line(name: str, word: str, amount: str, posted: str, **more: Any) -> Json:
    """A line of the feed: amount in units of its currency; ``precision`` and ``code`` of the currency may be told."""
    precision, code = more.pop("precision", "100000000"), more.pop("code", "usd")
    return fixture("money/financial_activity_page_3")["data"][0] | {
        "id": name,
        "line_type": word,
        "amount": str(int(Decimal(amount) * Decimal(precision))),
        "currency": {"code": code, "precision": precision},
        "usd_amount": amount if code == "usd" else None,
        "posted_at": posted,
        "available_at": posted,
        "payment_id": None,
        "source": None,
        **more,
    }  # fmt: skip


def _money(amount: str, currency: str) -> Json:
    return {"amount": amount, "currency": currency, "decimals": 2, "display_decimals": 2}


class Account:
    """What the stand-in answers. ``refused`` is the status of a path;"""

    def __init__(self) -> None:
        pages = [fixture(f"money/financial_activity_page_{n}") for n in (1, 2, 3)]
        self.lines: list[Json] = [line for page in pages for line in page["data"]]
        self.payouts: list[Json] = fixture("money/payouts_page_1")["data"]
        self.statements: dict[str, list[Json]] = {PAID: fixture("money/financial_activity_of_payout")["data"]}
        self.statements[RETURNED] = []
        self.payments: dict[str, Json] = {}
        self.refunds: list[Json] = [r for r in fixture("money/refunds_page")["data"] if r["status"] == "succeeded"]
        self.disputes: list[Json] = []
        self.refused: dict[str, int] = {}
        self.requests: Counter[str] = Counter()
        self.page = 20
        self.repeat_cursor = False
        self._add_payments()

    def _add_payments(self) -> None:
        for payment_id in dict.fromkeys(line["payment_id"] for line in reversed(self.lines) if line["payment_id"]):
            mine = [line for line in self.lines if line["payment_id"] == payment_id]
            gross = next(line for line in mine if line["line_type"] == "payment_gross")
            taken = sum(exact(line) for line in mine if line["posted_at"] == gross["posted_at"])
            currency, at = gross["currency"]["code"], gross["posted_at"]
            back = [r["amount"]["amount"] for r in self.refunds if r["payment_id"] == payment_id]
            disputed = [line for line in mine if line["line_type"] == "payment_dispute"]
            won = next((line for line in mine if line["line_type"] == "payment_dispute_reversal"), None)
            self.payments[payment_id] = fixture("payment") | {
                "id": payment_id,
                "created_at": at,
                "paid_at": at,
                "currency": currency,
                "total": _money(f"{exact(gross):.2f}", currency),
                "amount_after_fees": _money(f"{taken:.2f}", currency),
                "refunded_amount": _money(back[0], currency) if back else None,
                "refunded_at": gross["available_at"] if back else None,
                "substatus": "dispute_won" if won else "dispute_lost" if disputed else "succeeded",
            }  # fmt: skip
            for line in disputed:
                self.disputes.append(
                    fixture("webhooks/dispute.created.body")["data"]
                    | {
                        "id": f"dspt_{payment_id[4:]}",
                        "amount": float(-exact(line)),
                        "currency": currency,
                        "status": "won" if won else "lost",
                        "inquiry": False,
                        "fee": _money("15.00", "usd"),
                        "payment": {"id": payment_id},
                        "created_at": line["posted_at"],
                        "updated_at": (won or line)["posted_at"],
                    }
                )

    def sums(self, lines: list[Json] | None = None) -> dict[str, Decimal]:
        """Of lines, by currency."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for line in self.lines if lines is None else lines:
            found[line["currency"]["code"]] += exact(line)
        return found

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Json]:
        """Status and body."""
        self.requests["/" + path.split("/")[1]] += 1
        status = next((code for start, code in self.refused.items() if path.startswith(start)), 200)
        if status != 200:
            return status, {"error": {"type": "forbidden", "message": "no"}}
        match path.split("/")[1:]:
            case ["financial_activity"]:
                return 200, self._feed(query)
            case ["ledger_accounts", _]:
                return 200, self._balance()
            case ["financial_reports"]:
                return 200, self._report(query)
            case ["payouts"]:
                after = query.get("created_after", "")
                return 200, _page([each for each in self.payouts if each["created_at"] >= after])
            case ["payouts", one]:
                return self._one([*self.payouts], one)
            case ["payments"]:
                after, before = query.get("created_after", ""), query.get("created_before", "9")
                return 200, _page([p for p in self.payments.values() if after < p["created_at"] < before])
            case ["payments", one]:
                return self._one([*self.payments.values()], one)
            case ["refunds"]:
                return 200, _page([r for r in self.refunds if query.get("payment_id") in (None, r["payment_id"])])
            case ["disputes"]:
                return 200, _page(self.disputes)
            case _:
                return 404, {"error": {"message": "not found"}}

    @staticmethod
    def _one(rows: list[Json], wanted: str) -> tuple[int, Json]:
        found = next((row for row in rows if row["id"] == wanted), None)
        return (404, {"error": {"message": "not found"}}) if found is None else (200, found)

    def _feed(self, query: dict[str, str]) -> Json:
        if payout := query.get("withdrawal_id"):
            assert query["balance_type"] == "available"
            return _page(self.statements.get(payout, []))
        assert query["balance_type"] == "total"
        lines = [line for line in self.lines if line["posted_at"] > query.get("posted_after", "")]
        lines.sort(key=lambda line: line["posted_at"], reverse=True)
        start = int(query.get("cursor", "0"))
        end = start + self.page
        more = end < len(lines)
        return {
            "data": lines[start:end],
            "page_info": {"has_next_page": more, "end_cursor": ("0" if self.repeat_cursor else str(end))},
        }

    def _balance(self) -> Json:
        balances = [
            {"currency": code, "balance": float(round(total, 2)), "pending_balance": 0.0, "reserve_balance": 0.0}
            for code, total in self.sums().items()
            if code != "xau"
        ]
        return fixture("money/ledger_account") | {"balances": balances}

    def _report(self, query: dict[str, str]) -> Json:
        lines = [
            line
            for line in self.lines
            if line["currency"]["code"] == query["currency"] and query["from"] <= line["posted_at"] < query["to"]
        ]
        told = {row["line_category"]: row for row in fixture("money/financial_report_balance_activity")["rows"]}
        rows: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for line in lines:
            rows[line["posted_at"][:7] + "-01", line["line_type"]] += exact(line)
        total = float(sum(rows.values()))
        return {
            "report_type": "balance_activity",
            "beginning_balance": 0.0,
            "ending_balance": total,
            "total": total,
            "rows": [
                {
                    "period": period,
                    "line_category": word,
                    "grouping": told.get(word, {}).get("grouping"),
                    "amount": float(amount),
                    "line_count": 1,
                    "profit_and_loss_section": None,
                }
                for (period, word), amount in rows.items()
            ],
            "fx_excluded_currencies": ["xau"],
        }


def _page(rows: list[Json]) -> Json:
    return {"data": rows, "page_info": {"has_next_page": False, "end_cursor": None}}


@contextmanager
def serving(account: Account) -> Iterator[str]:
    """URL of a server that answers as the account."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, body = account.answer(parts.path, {key: value[-1] for key, value in parse_qs(parts.query).items()})
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@contextmanager
def opened(account: Account) -> Iterator[WhopClient]:
    """A client of the account that doesn't wait."""
    with serving(account) as url, WhopClient(url, "key", lambda _operation: NoPace()) as client:
        yield client
