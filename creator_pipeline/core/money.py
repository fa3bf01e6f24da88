"""Money: integer millionths ("micros") of the unit of a currency, never a float.

Some royalties are fractions of a yen and some currencies have three decimals, so minor units would round.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

MICROS = 1_000_000
MICROS_PER_CENT = 10_000
_MAX_MICROS = 10**18
"""A million million units: sums and differences of several still fit into the databases' 64 bits."""

ZERO_DECIMAL = frozenset(
    {
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    }
)
"""Currencies without minor units (ISO 4217)."""
THREE_DECIMAL = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
"""Currencies with thousandths (ISO 4217)."""

CODES = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK
    HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL
    MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
    RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH
    UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - a line for each code would be two pages
)
"""Currencies in use (ISO 4217), and those that were given up since reports of KDP begin."""


def from_cents(cents: int) -> int:
    """Hundredths of a unit to micros: ``from_cents(1999) == 19_990_000``."""
    return cents * MICROS_PER_CENT


def from_decimal(amount: Decimal | str) -> int:
    """Exact decimal text or Decimal to micros; digits past the sixth are rounded half to even.

    Raises:
        ValueError: not a finite number, or more than a million million units.
    """
    try:
        value = Decimal(amount)
        if value.is_nan():
            raise ValueError(f"{amount!r} is not an amount of money")
        # An exponent of a million would cost its digits in memory before any comparison could refuse it.
        if value.is_finite() and value.adjusted() > 18:
            raise ValueError(f"{amount!r} is too large for an amount of money")
        micros = int((value * MICROS).to_integral_value(rounding=ROUND_HALF_EVEN))
    except (InvalidOperation, OverflowError) as error:
        raise ValueError(f"{amount!r} is not an amount of money") from error
    if abs(micros) > _MAX_MICROS:
        raise ValueError(f"{amount!r} is too large for an amount of money")
    return micros


def to_decimal(micros: int) -> Decimal:
    """Micros to an exact Decimal in units of the currency."""
    return Decimal(micros) / MICROS


def decimals(currency: str) -> int:
    """Decimal places people write for a currency."""
    code = currency.upper()
    return 0 if code in ZERO_DECIMAL else 3 if code in THREE_DECIMAL else 2


def to_text(micros: int, currency: str) -> str:
    """An amount for people: as many decimals as the currency has (``12.34``), more only where they are not zero."""
    value = to_decimal(micros)
    places = decimals(currency)
    quantum = Decimal(1).scaleb(-places)
    if value == value.quantize(quantum):
        return f"{value.quantize(quantum):f}"
    return f"{value.normalize():f}"


def grouped(text: str) -> str:
    """An amount of :func:`to_text` with its thousands apart: ``-1,234.50``."""
    return f"{Decimal(text):,f}"


def for_people(micros: int, currency: str) -> str:
    """An amount as pages, mails and messages write it: ``-1,234.50 USD``."""
    return f"{grouped(to_text(micros, currency))} {currency}"
