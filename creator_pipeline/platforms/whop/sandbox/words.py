"""Whop's words for movements: the family of each, its side of the income statement, and what it means."""

from __future__ import annotations

from collections.abc import Mapping

_MEANINGS: Mapping[str, str] = {
    "sale": (
        "payment_gross legacy_payment legacy_crypto_payment license_sale_revenue software_rental_transaction "
        "platform_credits_payment platform_balance_payment passthrough_gmv"
    ),
    "refund": (
        "payment_gross_reversal installment_default payment_refund payment_refund_reversal "
        "platform_balance_payment_refund platform_credits_payment_refund legacy_payment_refund "
        "resolution_center_refund misc_refund promo_reversal"
    ),
    "chargeback": ("payment_dispute payment_dispute_adjustment dispute_hold_adjustment platform_covered_dispute"),
    "chargeback_reversal": "payment_dispute_reversal",
    "fee": (
        "payment_dispute_fee dispute_alert_fee dispute_representment_fee payment_processing_percentage_fee "
        "payment_processing_fixed_fee whop_processing_fee stripe_domestic_processing_fee "
        "stripe_international_processing_fee billing_percentage_fee cross_border_percentage_fee fx_percentage_fee "
        "orchestration_percentage_fee economic_intelligence_percentage_fee three_ds_fixed_fee fraud_prevention_fee "
        "high_risk_merchant_fee buyer_fee application_fee platform_markup_fee revshare_percentage_fee sales_tax_fee "
        "topup_fee platform_balance_transfer_fee swap_fee"
    ),
    "tax": "sales_tax_remittance sales_tax_remittance_reversal",
    "affiliate_share": (
        "affiliate_fee marketplace_affiliate_fee payment_revshare payment_revshare_payout payment_revshare_refund "
        "payment_revshare_reversal"
    ),
    "affiliate_credit": (
        "platform_affiliate_payment platform_affiliate_payment_reversal payment_referral payment_referral_refund "
        "payment_referral_reversal referral_bonus company_referral partner_grant_reward onboarding_reward "
        "license_sale_commission software_rental_revshare ad_affiliate_payout_received application_fee_payout "
        "platform_markup_fee_payout platform_earning cashback"
    ),
    "payout": (
        "withdrawal withdrawal_reversal withdrawal_clawback withdrawal_clawback_reversal withdrawal_reclassification "
        "withdrawal_topup_adjustment bank_transfer internal_withdrawal internal_withdrawal_reversal"
    ),
    "payout_fee": (
        "withdrawal_fee withdrawal_fee_reversal withdrawal_markup_fee withdrawal_markup_fee_reversal "
        "withdrawal_markup_fee_payout withdrawal_markup_fee_payout_reversal payout_fee internal_withdrawal_fee "
        "internal_withdrawal_fee_reversal internal_withdrawal_markup_fee internal_withdrawal_markup_fee_reversal"
    ),
    "hold": "balance_reservation balance_reservation_reversal",
    "transfer": (
        "topup topup_reversal treasury_payin internal_balance_transfer_outgoing internal_balance_transfer_incoming "
        "platform_balance_transfer_outgoing platform_balance_transfer_incoming currency_conversion_outgoing "
        "currency_conversion_incoming onchain_deposit onchain_withdrawal account_settlement "
        "connected_account_negative_balance"
    ),
    "spend": (
        "ad_spend_charge ad_campaign_budget ad_budget_release ad_publisher_payout card_spend_capture airdrop "
        "cashback_funding misc_purchase"
    ),
}
MEANING: Mapping[str, str] = {word: meaning for meaning, words in _MEANINGS.items() for word in words.split()}
"""What a word means to a seller; ``adjustment`` where it isn't named."""
NOT_EARNED = frozenset({"payout", "hold", "transfer", "spend"})
"""Meanings that are no profit and no loss of sales."""
_FAMILIES: Mapping[str, str] = {
    "sale": "payments",
    "refund": "refunds",
    "chargeback": "disputes",
    "chargeback_reversal": "disputes",
    "fee": "fees",
    "tax": "wallets_and_balance",
    "affiliate_share": "affiliates_and_revshare",
    "affiliate_credit": "affiliates_and_revshare",
    "payout": "withdrawals",
    "payout_fee": "fees",
    "hold": "reserves",
    "transfer": "wallets_and_balance",
    "spend": "advertising",
}
_OWN_FAMILY: Mapping[str, str] = {
    "currency_conversion_outgoing": "fx",
    "currency_conversion_incoming": "fx",
    "onchain_deposit": "crypto",
    "onchain_withdrawal": "crypto",
}
FEE_TYPES: Mapping[str, str] = {
    "payment_processing_percentage_fee": "processing_fee",
    "payment_processing_fixed_fee": "processing_fee",
    "billing_percentage_fee": "whop_fee",
    "cross_border_percentage_fee": "processing_fee",
    "fx_percentage_fee": "processing_fee",
    "sales_tax_remittance": "other_fee",
    "affiliate_fee": "affiliate_program_fee",
    "dispute_alert_fee": "other_fee",
    "payment_dispute_fee": "other_fee",
}
"""Words that the fees of a payment list, with the family that is shown there."""
FEE_ORIGINS: Mapping[str, str] = {"payment_dispute_fee": "dispute_fee"}
"""Words that are called otherwise there."""


def meaning_of(word: str) -> str:
    """What a word means to a seller."""
    return MEANING.get(word, "adjustment")


def family_of(word: str) -> str:
    """The vendor's own family, ``grouping``."""
    return _OWN_FAMILY.get(word) or _FAMILIES.get(meaning_of(word), "other")


def section_of(word: str) -> str | None:
    """``revenue``, ``cost_of_revenue``, or None for what is no profit and no loss."""
    match meaning_of(word):
        case "fee" | "affiliate_share" | "payout_fee":
            return "cost_of_revenue"
        case "sale" | "refund" | "chargeback" | "chargeback_reversal" | "affiliate_credit":
            return "revenue"
        case _:
            return None
