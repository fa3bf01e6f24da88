"""What the words of Whop's money feed mean, as data. The sign of an amount decides, never the word alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

Meaning = Literal[
    "sale",
    "refund",
    "dispute",
    "dispute_fee",
    "processing",
    "fee",
    "tax",
    "share",
    "credit",
    "payout_fee",
    "payout",
    "hold",
    "moved",
    "spent",
    "unknown",
]
"""``payout``, ``hold``, ``moved``, ``spent`` give no row of the ledger: nothing was earned, and Whop took nothing."""
NO_ROW: frozenset[Meaning] = frozenset({"payout", "hold", "moved", "spent"})
WHY_NO_ROW: Mapping[Meaning, str] = MappingProxyType(
    {
        "payout": "a payout, sent or come back",
        "hold": "a hold: the money stays in the balance",
        "moved": "put in, moved or exchanged by the seller",
        "spent": "spent by the seller out of the balance",
    }
)


class Family(NamedTuple):
    """What Whop's report says of a word."""

    grouping: str | None
    section: str | None


_WORDS: Mapping[Meaning, str] = {
    "sale": "payment_gross legacy_payment legacy_crypto_payment license_sale_revenue software_rental_transaction "
    "platform_credits_payment platform_balance_payment passthrough_gmv",
    "refund": "payment_gross_reversal installment_default payment_refund payment_refund_reversal "
    "platform_balance_payment_refund platform_credits_payment_refund legacy_payment_refund resolution_center_refund "
    "misc_refund promo_reversal",
    "dispute": "payment_dispute payment_dispute_adjustment dispute_hold_adjustment platform_covered_dispute "
    "payment_dispute_reversal",
    "dispute_fee": "payment_dispute_fee",
    "processing": "payment_processing_percentage_fee payment_processing_fixed_fee whop_processing_fee "
    "stripe_domestic_processing_fee stripe_international_processing_fee billing_percentage_fee "
    "cross_border_percentage_fee fx_percentage_fee orchestration_percentage_fee economic_intelligence_percentage_fee "
    "three_ds_fixed_fee fraud_prevention_fee high_risk_merchant_fee buyer_fee application_fee platform_markup_fee "
    "revshare_percentage_fee sales_tax_fee",
    "fee": "dispute_alert_fee dispute_representment_fee topup_fee swap_fee payment_refund_fee "
    "internal_balance_transfer_fee platform_balance_transfer_fee",
    "tax": "sales_tax_remittance sales_tax_remittance_reversal",
    "share": "affiliate_fee marketplace_affiliate_fee payment_revshare payment_revshare_refund "
    "payment_revshare_reversal payment_revshare_payout payment_revshare_payout_refund "
    "payment_revshare_payout_reversal",
    "credit": "platform_affiliate_payment platform_affiliate_payment_reversal payment_referral payment_referral_refund "
    "payment_referral_reversal referral_bonus company_referral partner_grant_reward onboarding_reward "
    "license_sale_commission software_rental_revshare ad_affiliate_payout_received application_fee_payout "
    "platform_markup_fee_payout platform_earning cashback",
    "payout_fee": "withdrawal_fee withdrawal_fee_reversal withdrawal_markup_fee withdrawal_markup_fee_reversal "
    "withdrawal_markup_fee_payout payout_fee internal_withdrawal_fee internal_withdrawal_fee_reversal "
    "internal_withdrawal_markup_fee internal_withdrawal_markup_fee_reversal",
    "payout": "withdrawal withdrawal_reversal withdrawal_clawback withdrawal_clawback_reversal "
    "withdrawal_reclassification withdrawal_topup_adjustment bank_transfer internal_withdrawal "
    "internal_withdrawal_reversal",
    "hold": "balance_reservation balance_reservation_reversal",
    "moved": "topup topup_reversal treasury_payin account_settlement connected_account_negative_balance",
    "spent": "ad_spend_charge ad_campaign_budget ad_budget_release misc_purchase cashback_funding",
}
_MEANINGS: Mapping[str, Meaning] = {word: meaning for meaning, words in _WORDS.items() for word in words.split()}
_PREFIXES: Mapping[str, Meaning] = {
    "internal_balance_transfer_": "moved",
    "platform_balance_transfer_": "moved",
    "currency_conversion_": "moved",
    "onchain_": "moved",
    "ad_publisher_payout": "spent",
    "card_": "spent",
    "airdrop": "spent",
}
"""Families of words; one that ends in ``_fee`` is none of them."""
_FAMILIES: Mapping[str, Meaning] = {"fees": "fee", "refunds": "refund", "disputes": "dispute", "withdrawals": "payout"}
"""Whop's own family of a word, where it leaves no choice. ``wallets_and_balance`` and ``payments`` hold anything."""

DISPUTE_FEE_WORDS = frozenset(_WORDS["dispute_fee"].split())
ALERT_FEE_WORDS = frozenset({"dispute_alert_fee"})
SALE_WORDS = frozenset(_WORDS["sale"].split())
PROCESSING_WORDS = frozenset(word for word, meaning in _MEANINGS.items() if meaning == "processing")
"""Whop's own part of :data:`COST_WORDS`."""
COST_WORDS = frozenset(word for word, meaning in _MEANINGS.items() if meaning in ("processing", "tax", "share"))
"""What Whop takes of a payment on the day it is paid."""


def is_known(word: str) -> bool:
    """Whether this release knows the word."""
    return _known(word) is not None


def meaning_of(word: str, families: Mapping[str, Family]) -> Meaning:
    """What a word means: as this table says, whose words are finer than Whop's families; else by Whop's own family.

    Args:
        word: a line type.
        families: by word, as Whop's report told them.
    """
    known = _known(word)
    if known is not None:
        return known
    family = families.get(word)
    if family is None or family.grouping is None:
        return "unknown"
    # What has a side of profit and loss is never a payout.
    found = _FAMILIES.get(family.grouping, "unknown")
    return "unknown" if found in NO_ROW and family.section else found


def contradicts(word: str, family: Family) -> bool:
    """Whether Whop gives a side of profit and loss to a word that has no row of the ledger here."""
    return bool(family.section) and _known(word) in NO_ROW


def _known(word: str) -> Meaning | None:
    found = _MEANINGS.get(word)
    if found is not None:
        return found
    if word.endswith("_fee"):
        return None
    return next((meaning for prefix, meaning in _PREFIXES.items() if word.startswith(prefix)), None)
