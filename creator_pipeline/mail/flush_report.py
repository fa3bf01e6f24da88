"""What a flush of the outbox did."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from creator_pipeline.core.errors import ConfigError, PipelineError, TransientError
from creator_pipeline.mail.mailer import Verdict
from creator_pipeline.mail.messages import Claimed

_log = logging.getLogger("creator_pipeline.mail.outbox")


@dataclass(slots=True)
class FlushReport:
    """What a flush did, in messages.

    Attributes:
        problem: why it stopped early or could send nothing, for whoever runs it to show; None when all is well.
    """

    sent: int = 0
    retried: int = 0
    failed: int = 0
    suppressed: int = 0
    held: int = 0
    problem: PipelineError | None = None

    def count(self, message: Claimed, verdict: Verdict) -> None:
        """Add what became of a message."""
        if verdict.action == "sent":
            self.sent += 1
            return
        if verdict.action == "failed":
            self.failed += 1
        else:
            self.retried += 1
        _log.warning("Mail %s, attempt %d: %s", message.id, message.attempts, verdict.reason)
        if verdict.action == "stop":
            self.problem = ConfigError(verdict.reason, hint="Check RESEND_API_KEY, and FROM_EMAIL's domain at Resend.")
        elif verdict.action == "defer":
            self.problem = TransientError(verdict.reason, hint="Raise the plan at Resend.", retry_after=verdict.wait)
