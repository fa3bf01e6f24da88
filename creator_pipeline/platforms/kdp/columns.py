"""Words of KDP's reports: column headers, tab names, transaction types and months, in the languages seen.

Spellings are compared whole and in their normal form (:func:`normal`), never as substrings: ``Royalty Date`` contains
the name of the money column. English, Spanish and Japanese are complete as far as exports are known; Italian and
Portuguese are partial; German and French were never seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

CURRENCIES = ("USD", "GBP", "EUR", "JPY", "CAD", "INR", "PLN", "SEK", "BRL", "MXN", "AUD")
"""Currencies of the Summary tab."""

MARKETPLACE_CURRENCY = {
    "amazon.com": "USD",
    "amazon.co.uk": "GBP",
    "amazon.de": "EUR",
    "amazon.fr": "EUR",
    "amazon.es": "EUR",
    "amazon.it": "EUR",
    "amazon.nl": "EUR",
    "amazon.ca": "CAD",
    "amazon.co.jp": "JPY",
    "amazon.in": "INR",
    "amazon.com.br": "BRL",
    "amazon.com.mx": "MXN",
    "amazon.com.au": "AUD",
    "amazon.pl": "PLN",
    "amazon.se": "SEK",
}
"""The currency that each shop pays in. A shop that is not listed is no error."""

_COLUMNS: dict[str, tuple[str, ...]] = {
    "royalty_date": ("Royalty Date", "Fecha de las regalías", "ロイヤリティ発生日", "Data dos royalties"),
    "order_date": ("Order Date", "Fecha de pedido", "Data do pedido"),
    "date": ("Date", "Fecha", "日付", "Data"),
    "title": ("Title", "Título", "タイトル", "Titolo"),
    "author": (
        "Author",
        "Author Name",
        "Nombre del autor",
        "著者",
        "著者名",
        "著者(名)",
        "Autore",
        "Autor",
        "Nome do autor",
        "Nome dell'autore",
    ),
    "asin": ("ASIN", "Codice ASIN"),
    "isbn": ("ISBN",),
    "asin_isbn": ("ASIN/ISBN", "Código ASIN/ISBN"),
    "ebook_asin": ("eBook ASIN",),
    "audiobook_asin": ("Audiobook ASIN",),
    "audible_asin": ("Audible ASIN",),
    "marketplace": ("Marketplace", "Tienda", "Mercado", "マーケットプレイス", "Mercato", "Loja"),
    "royalty_type": ("Royalty Type", "Tipo de regalía", "ロイヤリティの種類", "Tipo de royalty"),
    "transaction": (
        "Transaction Type",
        "Payout Plan",
        "Tipo de transacción",
        "取引の種類",
        "コンテンツ区分",
        "Plan de pago",
        "Tipo de transação",
    ),
    "units_sold": ("Units Sold", "Unidades vendidas", "注文数", "販売数量"),
    "units_refunded": ("Units Refunded", "Unidades devueltas", "払い戻し数", "Unidades reembolsadas"),
    "net_units": (
        "Net Units Sold",
        "Net Units",
        "Unidades netas vendidas",
        "実質注文数",
        "実質販売数",
        "Netto unità vendute",
        "Número líquido de unidades vendidas",
    ),
    "net_units_or_kenp": (
        "Net Units Sold or KENP Read",
        "Net Units Sold or Combined KENP",
        "Unidades netas vendidas o KENP leídas",
    ),
    "list_price": (
        "Avg. List Price without tax",
        "Average List Price without tax",
        "Average List Price",
        "List Price",
        "Precio de lista medio sin impuestos",
        "平均希望小売価格 (税別)",
        "平均希望小売価格(税別)",
        "Prezzo medio di listino escluse le imposte",
        "Preço sugerido médio sem impostos",
    ),
    "offer_price": (
        "Avg. Offer Price without tax",
        "Average Offer Price without tax",
        "Average Offer Price",
        "Offer Price",
        "Precio de oferta medio sin impuestos",
        "平均販売価格 (税別)",
        "平均販売価格(税別)",
        "Preço de oferta médio sem impostos",
    ),
    "file_size": (
        "Avg. File Size (MB)",
        "Average File Size (MB)",
        "Average File Size",
        "Tamaño medio del archivo (MB)",
        "平均ファイルサイズ(MB)",
        "平均ファイルサイズ (MB)",
        "Tamanho médio do arquivo (MB)",
    ),
    "delivery_cost": (
        "Avg. Delivery Cost",
        "Average Delivery Cost",
        "Gasto medio de envío",
        "平均配信コスト",
        "Custo médio de entrega",
    ),
    "manufacturing_cost": (
        "Avg. Manufacturing Cost",
        "Average Manufacturing Cost",
        "Gasto de producción medio",
    ),
    "any_cost": (
        "Avg. Delivery/Manufacturing cost",
        "Average Delivery/Manufacturing cost",
        "Gasto medio de entrega/producción",
        "平均配信/制作コスト",
        "Custo médio de entrega/fabricação",
    ),
    "royalty": ("Royalty", "Earnings", "Regalías", "ロイヤリティ", "Ingresos", "Royalties"),
    "currency": ("Currency", "Moneda", "通貨", "Valuta", "Moeda"),
    "paid_units": ("Paid Units", "Unidades pagadas", "Unidades pagas", "有料ダウンロード数"),
    "free_units": ("Free Units", "Unidades gratuitas", "無料ダウンロード数"),
    "kenp": (
        "Kindle Edition Normalized Page (KENP) Read",
        "Kindle Edition Normalized Pages (KENP) Read",
        "Kindle Edition Normalized Pages (KENP)",
        "Kindle Edition Normalized Page (KENP) Read from KU and KOLL",
        "Kindle Edition Normalized Pages (KENP) Read from KU and KOLL",
        "Páginas KENP leídas",
        "KENP",
        "KENP Read",
        "Kindle Edition Normalized Pages (KENP) lidas",
        "既読 KENP (Kindle Edition Normalized Pages)",
    ),
    "ebook_paid_units": ("Paid Units Sold (eBook)",),
    "ebook_free_units": ("Free Units Sold (eBook)", "Unidades gratuitas vendidas (eBook)"),
    "ebook_net_units": ("Unidades líquidas vendidas (eBook)", "実質注文数 (電子書籍)"),
    "paperback_net_units": (
        "Net Units Sold (Paperback)",
        "Unidades líquidas vendidas (livro com capa comum)",
    ),
    "hardcover_net_units": ("Net Units Sold (Hardcover)",),
    "audiobook_net_units": ("Net Units Sold (Audiobook)",),
    "koll_borrows": ("KOLL Borrows",),
    "period_start": ("Sales Period - Start Date",),
    "period_end": ("Sales Period - End Date",),
    "payment_number": ("Payment Number",),
    "detail": ("Detail",),
    "payment_method": ("Payment Method",),
    "accrued": ("Accrued Royalty",),
    "tax": ("Tax Withholding",),
    "adjustments": ("Adjustments",),
    "net_earnings": ("Net Earnings",),
    "source": ("Source",),
    "fx_rate": ("FX Rate",),
    "payout": ("Payout Amount",),
    "payment_status": ("Payment Status",),
    "report": ("Report", "Relatório", "Informe"),
    "definition": ("Definition", "Definição", "Definición"),
    "promotion_units": ("Free Units-Promo", "Free Units - Promo", "Free Units-Promotion"),
    "match_units": ("Free Units-Price Match", "Free Units - Price Match"),
    "preorder_units": ("Pre-order Units", "Preorder Units", "Unidades de preventas"),
}

_TRANSACTIONS: dict[str, tuple[str, ...]] = {
    "standard": (
        "Standard",
        "Standard - Paperback",
        "Standard - Hardcover",
        "Estándar",
        "Estándar - Tapa blanda",
        "Padrão",
        "標準",
    ),
    "free_promotion": ("Free - Promotion", "Promoción gratuita"),
    "free_price_match": ("Free - Price Match",),
    "expanded": ("Expanded Distribution Channels",),
    "countdown": ("Kindle Countdown Deals",),
}

_INVISIBLE = dict.fromkeys(map(ord, "*\u200b\u200c\u200d\u2060\ufeff"))
_SUMMARY_MONEY = re.compile(r"\S.* ?\(([a-z]{3})\)")


@lru_cache(maxsize=4096)
def normal(text: str) -> str:
    """The form in which headers, tabs and words are compared: NFKC, case folded, no ``*``, single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_INVISIBLE).casefold().split())


def ascii_digits(text: str) -> str:
    """The text with the digits of every script as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in text)


def spellings(table: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Turn a table of name -> spellings into one of normal form -> name.

    Raises:
        ValueError: one spelling stands for two names.
    """
    lookup: dict[str, str] = {}
    for name, words in table.items():
        for word in words:
            if lookup.setdefault(normal(word), name) != name:
                raise ValueError(f"{word!r} stands for {lookup[normal(word)]} and for {name}")
    return lookup


_COLUMN_OF = spellings(_COLUMNS)
_TRANSACTION_OF = spellings(_TRANSACTIONS)
SALES_PERIOD = frozenset(
    map(normal, ("Sales Period", "Periodo de ventas", "Período de ventas", "Período de vendas", "販売期間"))
)
"""Label before the month in the first row of every tab of Prior Months' Royalties."""


def column(header: str) -> str | None:
    """Our name of a column; None where the header is unknown. ``Royalty (USD)`` is ``royalty_usd``, in any language."""
    form = normal(header)
    name = _COLUMN_OF.get(form)
    if name is None and (money := _SUMMARY_MONEY.fullmatch(form)) and money[1].upper() in CURRENCIES:
        return f"royalty_{money[1]}"
    return name


def spelling(field: str) -> str:
    """KDP's English header of a column."""
    return _COLUMNS[field][0] if field in _COLUMNS else f"Royalty ({field.removeprefix('royalty_').upper()})"


def transaction(word: str) -> str | None:
    """Our code of a transaction type or payout plan; None where the word is unknown.

    ``Standard``, ``Standard - Paperback`` and ``Standard - Hardcover`` are one code: Combined Sales calls hardcovers
    paperbacks, so the word says nothing about the format.
    """
    form = normal(word)
    # The page reads of Total Earnings keep KENP's name in every language.
    return "kenp" if "kenp" in form else _TRANSACTION_OF.get(form)
