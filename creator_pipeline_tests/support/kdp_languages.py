"""Headers of KDP's reports in ten languages, as somebody might translate them. None of them is known to be KDP's."""

from __future__ import annotations

_ROLES = [
    "royalty_date",
    "order_date",
    "date",
    "title",
    "author",
    "asin",
    "isbn",
    "asin_isbn",
    "marketplace",
    "royalty_type",
    "transaction",
    "units_sold",
    "units_refunded",
    "net_units",
    "net_units_or_kenp",
    "list_price",
    "offer_price",
    "file_size",
    "delivery_cost",
    "manufacturing_cost",
    "any_cost",
    "royalty",
    "currency",
    "paid_units",
    "free_units",
    "kenp",
    "ebook_paid_units",
    "ebook_free_units",
    "paperback_net_units",
    "hardcover_net_units",
    "koll_borrows",
    "sales_period",
]

_WORDS = {
    "German": "Tantiemendatum|Bestelldatum|Datum|Titel|Name des Autors|ASIN-Nummer|ISBN-Nummer|ASIN/ISBN-Nummer|Marktplatz|"
    "Tantiemenart|Transaktionsart|Verkaufte Einheiten|Erstattete Einheiten|Netto verkaufte Einheiten|Netto verkaufte Einheiten "
    "oder gelesene KENP|Durchschn. Listenpreis|Durchschn. Angebotspreis|Durchschn. Dateigröße|Durchschn. Lieferkosten|"
    "Durchschn. Herstellungskosten|Durchschn. Liefer-/Herstellungskosten|Tantiemen|Währung|Bezahlte Einheiten|Kostenlose "
    "Einheiten|Gelesene Seiten|Bezahlte E-Books|Kostenlose E-Books|Taschenbücher|Gebundene Bücher|KOLL-Ausleihen|Verkaufszeitraum",
    "French": "Date des redevances|Date de commande|Date|Titre|Nom de l'auteur|Code ASIN|Code ISBN|Code ASIN/ISBN|Site|Type de "
    "redevance|Type de transaction|Unités vendues|Unités remboursées|Unités nettes vendues|Unités nettes ou KENP lues|Prix "
    "catalogue moyen|Prix d'offre moyen|Taille moyenne|Coût de livraison moyen|Coût de fabrication moyen|Coût moyen|Redevances|"
    "Devise|Unités payées|Unités gratuites|Pages lues|eBooks payés|eBooks gratuits|Brochés|Reliés|Emprunts KOLL|Période de vente",
    "Italian": "Data royalty|Data ordine|Data|Titolo|Nome autore|ASIN libro|ISBN libro|ASIN o ISBN|Mercato|Tipo di royalty|Tipo "
    "di transazione|Unità vendute|Unità rimborsate|Unità nette vendute|Unità nette o KENP lette|Prezzo di listino medio|Prezzo "
    "di offerta medio|Dimensione media|Costo di consegna medio|Costo di produzione medio|Costo medio|Guadagni|Valuta|Unità "
    "pagate|Unità gratuite|Pagine lette|eBook pagati|eBook gratuiti|Copertina flessibile|Copertina rigida|Prestiti|Periodo",
    "Dutch": "Royaltydatum|Besteldatum|Datum|Titel|Auteursnaam|ASIN-code|ISBN-code|ASIN/ISBN-code|Marktplaats|Soort royalty|Soort "
    "transactie|Verkochte eenheden|Terugbetaalde eenheden|Netto verkochte eenheden|Netto eenheden of KENP|Gem. catalogusprijs|"
    "Gem. aanbiedingsprijs|Gem. bestandsgrootte|Gem. bezorgkosten|Gem. productiekosten|Gem. kosten|Royalty's|Valuta|Betaalde "
    "eenheden|Gratis eenheden|Gelezen pagina's|Betaalde e-books|Gratis e-books|Paperbacks|Hardcovers|Leningen|Verkoopperiode",
    "Polish": "Data tantiem|Data zamówienia|Dzień|Tytuł|Imię autora|Numer ASIN|Numer ISBN|Numer ASIN/ISBN|Rynek|Rodzaj tantiem|"
    "Rodzaj transakcji|Sprzedane sztuki|Zwrócone sztuki|Sprzedaż netto|Netto lub KENP|Cena katalogowa|Cena oferty|Rozmiar|Koszt "
    "dostawy|Koszt produkcji|Koszt|Tantiemy|Waluta|Opłacone|Bezpłatne|Przeczytane strony|Płatne|Darmowe|Miękka|Twarda|KOLL|Okres",
    "Swedish": "Royaltydag|Beställningsdag|Dag|Titel|Författare|ASIN-nr|ISBN-nr|ASIN/ISBN-nr|Marknad|Typ av royalty|Typ av "
    "transaktion|Sålda enheter|Återbetalda enheter|Nettoförsäljning|Netto eller KENP|Snittlistpris|Snittpris|Filstorlek|"
    "Leveranskostnad|Tillverkningskostnad|Kostnad|Intäkt|Valuta|Betalda|Kostnadsfria|Lästa sidor|Betalda e|Fria e|Pocket|"
    "Inbunden|Lån|Säljperiod",
    "Turkish": "Telif tarihi|Sipariş tarihi|Tarih|Başlık|Yazar adı|ASIN no|ISBN no|ASIN/ISBN no|Pazar yeri|Telif türü|İşlem "
    "türü|Satılan birim|İade edilen birim|Net satılan birim|Net birim veya KENP|Liste fiyatı|Teklif fiyatı|Dosya boyutu|"
    "Teslimat maliyeti|Üretim maliyeti|Maliyet|Telif ücreti|Para birimi|Ödenen|Ücretsiz|Okunan sayfa|Ücretli e|Ücretsiz e|"
    "Karton|Ciltli|Ödünç|Satış dönemi",
    "Chinese": "版税日期|订单日期|日期|书名|作者姓名|ASIN 编号|ISBN 编号|ASIN/ISBN 编号|商城|版税类型|交易类型|售出数量|退货数量|净售出数量|净数量或页数|"
    "平均定价|平均售价|平均文件大小|平均传输费|平均制作费|平均费用|版税|币种|付费数量|免费数量|已读页数|电子书付费|电子书免费|平装|精装|借阅|销售期",
    "Hindi": "रॉयल्टी दिनांक|ऑर्डर दिनांक|दिनांक|शीर्षक|लेखक|एएसआईएन|आईएसबीएन|एएसआईएन/आईएसबीएन|बाज़ार|रॉयल्टी प्रकार|लेनदेन प्रकार|बेची गई|वापस की गई|शुद्ध बेची गई|"
    "शुद्ध या पृष्ठ|सूची मूल्य|ऑफ़र मूल्य|आकार|डिलीवरी लागत|निर्माण लागत|लागत|रॉयल्टी राशि|मुद्रा|भुगतान की गई|मुफ़्त|पढ़े पृष्ठ|भुगतान ई|मुफ़्त ई|पेपरबैक|हार्डकवर|उधार|अवधि",
    "Russian": "Дата роялти|Дата заказа|Дата|Название|Имя автора|Код ASIN|Код ISBN|Код ASIN/ISBN|Магазин|Тип роялти|Тип "
    "операции|Продано|Возвращено|Чистые продажи|Чистые или страницы|Цена каталога|Цена предложения|Размер файла|Доставка|"
    "Печать|Расходы|Роялти|Валюта|Оплачено|Бесплатно|Прочитано страниц|Платные|Бесплатные|Мягкая|Твердая|Займы|Период продаж",
}
LANGUAGES = {name: dict(zip(_ROLES, words.split("|"), strict=True)) for name, words in _WORDS.items()}
"""Language -> our name of a column -> its header."""
