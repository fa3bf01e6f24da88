"""Which mails there are: their subject, and the category a reader can turn off."""

from __future__ import annotations

from dataclasses import dataclass

SECURITY = "security"
"""Mails somebody asked for by using the product's doors, or must see: no preferences, no unsubscribe link."""

CATEGORIES = {
    "success": "finished ingestions",
    "failure": "failed ingestions, and that they work again",
    "account": "your plan and your connected platforms",
    "digest": "your week in figures",
}
"""Categories of notices that can be turned off, in words that complete "You get mails about …"."""

OPS = "ops"
"""For OPS_EMAIL only; turned off by unsetting that variable."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One mail.

    Attributes:
        subject: a Jinja2 template over the same values as the body.
        category: a key of :data:`CATEGORIES`, :data:`SECURITY` or :data:`OPS`.
        template: file name without ending, where it isn't the kind's own name.
    """

    name: str
    subject: str
    category: str = SECURITY
    template: str = ""

    @property
    def can_be_turned_off(self) -> bool:
        """Whether it carries the unsubscribe pair."""
        return self.category in CATEGORIES


KINDS = {
    kind.name: kind
    for kind in (
        Kind("signup_confirmation", "Confirm your e-mail address"),
        Kind("password_reset", "Reset your password"),
        Kind("invite", "You are invited to {{ product }}"),
        Kind("magic_link", "Your sign-in link"),
        Kind("email_change_current", "Confirm the change of your e-mail address"),
        Kind("email_change_new", "Confirm your new e-mail address"),
        Kind("reauthentication", "Your verification code"),
        Kind("password_changed", "Your password was changed", template="security_notice"),
        Kind("email_changed", "Your e-mail address was changed", template="security_notice"),
        Kind("phone_changed", "Your phone number was changed", template="security_notice"),
        Kind("identity_linked", "A sign-in method was added", template="security_notice"),
        Kind("identity_unlinked", "A sign-in method was removed", template="security_notice"),
        Kind("mfa_enrolled", "A second factor was added", template="security_notice"),
        Kind("mfa_unenrolled", "A second factor was removed", template="security_notice"),
        Kind("subscription_updated", "Your plan is now {{ plan_name }}", "account"),
        Kind("connection_revoked", "{{ platform }} is disconnected: please connect it again", "account"),
        Kind("consent_needed", "{{ platform }}: connect once more to see {{ what }}", "account"),
        Kind("ingestion_completed", "{{ source }}: {{ event_count | counted('event') }} ingested", "success"),
        Kind("ingestion_failed", "{{ source }}: {{ what or 'your account' }} could not be read", "failure"),
        Kind("ingestion_recovered", "{{ source }}: {{ what or 'your account' }} is read again", "failure"),
        Kind("files_read", "{{ source }}: {{ files | counted('file') }} read", "success"),
        Kind(
            "files_refused",
            "{{ source }}: {{ bad | thousands }} of {{ files | counted('file') }} need you",
            "failure",
            "files_read",
        ),
        Kind("backfill_finished", "{{ source }}: backfill finished, nothing failed", "success"),
        Kind(
            "backfill_failed",
            "{{ source }}: backfill finished, {{ failed | counted('partition') }} failed",
            "failure",
            "backfill_finished",
        ),
        Kind("weekly_digest", "Your week {{ week }} in figures", "digest"),
        Kind("ops_failure", "[ops] {{ title | truncate(120) }}", OPS),
        Kind("ops_mended", "[ops] Mended: {{ title | truncate(110) }}", OPS),
        Kind(
            "ops_alert_lost",
            "[ops] {{ channel }}: a notice {{ 'may be missing' if missing else 'was not sent' }}",
            OPS,
        ),
        Kind("ops_test", "[ops] Mails are delivered", OPS),
    )
}
