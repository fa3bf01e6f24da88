"""What an erasure and retention do with the tables of Whop."""

from __future__ import annotations

from sqlalchemy import and_, func

from creator_pipeline.platforms.whop.tables import STREAMS
from creator_pipeline.store.declared_personal import buyers_of, tables_of
from creator_pipeline.store.personal import Buyers, Personal
from creator_pipeline.store.tables import (
    whop_financial_activity,
    whop_financial_reports,
    whop_money_reads,
    whop_payments,
    whop_payout_statements,
    whop_subscriptions,
)

_HELD = whop_subscriptions.c
BUYER = {"holder_hash": None, "whop_user_id": None, "member_id": None, "raw": "{}"}
"""What a membership says of a forgotten holder."""

PERSONAL = Personal(
    deleted=(
        whop_subscriptions,
        whop_payments,
        whop_financial_activity,
        whop_financial_reports,
        whop_payout_statements,
        whop_money_reads,
        *tables_of(STREAMS),
    ),
    # A membership is of the account that sold it; the profile that holds it is another's, or nobody's.
    owners={whop_subscriptions: (_HELD.account_profile_id, _HELD.profile_id)},
    released={whop_subscriptions: {"profile_id": None, "matched_by": None}},
    buyers=(
        Buyers(
            whop_subscriptions,
            _HELD.holder_hash,
            BUYER,
            known=_HELD.holder_hash.is_not(None),
            last_used=func.coalesce(_HELD.current_period_end, _HELD.updated_at),
            # Of a profile's own membership the holder is the profile.
            over=and_(_HELD.has_access.is_(False), _HELD.profile_id.is_(None)),
            kept=_HELD.profile_id.is_not(None),
        ),
        *buyers_of(STREAMS),
    ),
)
