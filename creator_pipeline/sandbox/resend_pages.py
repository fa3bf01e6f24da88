"""The inbox of the stand-in of Resend: what was "sent", to be read in a browser."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

from creator_pipeline.core.text import number

if TYPE_CHECKING:
    from creator_pipeline.sandbox.resend import SentMail

_STYLE = """<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1000px; padding: 16px }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: 6px 12px 6px 0; vertical-align: top; border-bottom: 1px solid #8884 }
td, pre { overflow-wrap: anywhere }
iframe { width: 100%; height: 760px; border: 1px solid #8886; background: #fff }
th { white-space: nowrap }
pre { white-space: pre-wrap; border: 1px solid #8886; padding: 12px }
.small { font-size: 13px; opacity: .75 }
.once { white-space: nowrap }
@media (max-width: 600px) { .wide { display: none } }
</style>"""


def inbox_page(mails: Sequence[SentMail]) -> HTMLResponse:
    """All mails, the newest first."""
    rows = "".join(
        f'<tr><td class="wide once">{mail.created_at:%H:%M:%S}</td>'
        f'<td><a href="/inbox/{mail.id}">{_escaped(mail.payload["subject"])}</a>'
        f"<br><span class=small>to {_to(mail)}</span></td>"
        f'<td class="wide once">{_escaped(mail.last_event)}</td>'
        f'<td class="wide small">{_escaped(mail.idempotency_key or "none")}</td></tr>'
        for mail in reversed(mails)
    )
    head = "<tr><th class=wide>Time<th>Mail<th class=wide>Event<th class=wide>Idempotency key</tr>"
    body = f"<table>{head}{rows}</table>" if mails else "<p>Nothing was sent yet. Reload to look again.</p>"
    return _page(f"Inbox: {number(len(mails), 'mail')}", f"<p class=small>Nothing here left this machine.</p>{body}")


def mail_page(mail: SentMail) -> HTMLResponse:
    """One mail: its head, its HTML as a reader sees it, its text part."""
    said = mail.payload
    headers = {"From": said["from"], "To": ", ".join(_recipients(mail)), "Subject": said["subject"]}
    headers |= said.get("headers") or {}
    headers["Idempotency-Key"] = mail.idempotency_key or "none"
    headers["Tags"] = ", ".join(f"{tag['name']}={tag['value']}" for tag in said.get("tags") or [])
    shown = str(said.get("html") or "")
    for attachment in said.get("attachments") or []:
        source = f"data:{attachment.get('content_type', '')};base64,{attachment['content']}"
        headers[f"Attached {attachment['filename']}"] = f"{len(attachment['content']) * 3 // 4:,} bytes"
        shown = shown.replace(f"cid:{attachment.get('content_id')}", source)
    rows = "".join(f"<tr><th>{_escaped(key)}</th><td>{_escaped(value)}</td></tr>" for key, value in headers.items())
    # In a frame without scripts and an origin: a mail is not trusted, not even an own one.
    frame = f'<iframe sandbox srcdoc="{_escaped(shown)}"></iframe>'
    text = f"<h2>Text part</h2><pre>{_escaped(said.get('text') or '')}</pre>"
    return _page(str(said["subject"]), f'<p><a href="/inbox">Inbox</a></p><table>{rows}</table><br>{frame}{text}')


def _recipients(mail: SentMail) -> list[str]:
    to = mail.payload["to"]
    return [to] if isinstance(to, str) else to


def _to(mail: SentMail) -> str:
    return _escaped(", ".join(_recipients(mail)))


def _escaped(text: object) -> str:
    return html.escape(str(text))


def _page(title: str, body: str) -> HTMLResponse:
    name = _escaped(title)
    return HTMLResponse(f"<!DOCTYPE html><html lang=en><title>{name}</title>{_STYLE}<h1>{name}</h1>{body}")
