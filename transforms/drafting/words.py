"""Words that column and file names are made of, in the languages of those who drop files, and the concept that each stands for."""

import re
import unicodedata
from functools import lru_cache

CONCEPTS = {
    "STORE": """store shop outlet branch site supermarket filiale filialen filial markt laden geschaft verkaufsstelle vst magasin
        boutique pdv tienda sucursal negozio loja winkel filiaal vestiging sklep butik butikk punto bakery backerei""",
    "CUSTOMER": "customer kunde kunden client cliente account shipto soldto door klant klient debitor empfanger",
    "PRODUCT": """product products item sku article artikel art produkt produkte ware material upc ean gtin plu produit produits
        producto prodotto articolo articulo produto artigo towar vare referencia""",
    "ID": "id no nr num number nummer code key kennung kode codigo codice numero kod ident cod",
    "NAME": """name bezeichnung bez description desc descr label title titel nom nombre nome naam libelle designation beschreibung
        text banner sign nazwa descripcion descrizione descricao omschrijving opis""",
    "WEEK": "week weeks woche wochen kw kalenderwoche semaine semana settimana wk tydzien weekly weekof uge vecka",
    "DATE": "date dates datum day tag tage fecha jour data giorno dia dt dag dzien dato tages",
    "TIME": "time zeit timestamp uhrzeit zeitpunkt heure hora ora tijd czas at stamp zeitstempel",
    "QTY": """qty quantity quantities units unit menge mengen stuck stucke stuckzahl stk anzahl pieces pcs quantite qte cantidad
        quantita quantidade aantal bottles ilosc eaches each count einheiten volume volumen cant unidades unites""",
    "SHIPPED": """shipped shipment shipments delivered delivery deliveries geliefert gelieferte lieferung lieferungen liefer livre
        livraison livraisons entrega entregas entregado consegna consegne consegnato invoiced invoice ship versand geleverd
        levering leveringen warenausgang rechnung dispatched despatched dostawa leverans belieferung auslieferung""",
    "SOLD": """sold sales sale demand verkauf verkaufe verkauft absatz nachfrage abverkauf ventes vendu ventas vendido vendite
        venduto vendas verkoop verkocht sprzedaz""",
    "RETURN": """return returns returned retoure retouren retour retours rucknahme rucknahmen ruckgabe devolucion devoluciones devuelto
        reso resi devolucao zwrot zwroty credit credits gutschrift gutschriften remission remittende invendus unsold
        ruckgabemenge retourne retournes""",
    "CASE": """case cases karton kartons kiste kisten kolli colli colis caja cajas cartone cartoni ctn carton cartons box boxes crate
        crates doos tray trays""",
    "PACK": "pack packs packung packungen ve vpe verpackung verpackungs gebinde gebindegrosse packsize verpakking confezione emballage pak unidad",
    "PRICE": "price preis prix precio prezzo preco prijs cena vk uvp",
    "COST": "cost costs kosten cout costo coste custo",
    "MARGIN": "margin marge margen margine deckungsbeitrag spanne profit rohertrag",
    "CATEGORY": """category kategorie warengruppe wgr gruppe group categorie categoria department abteilung sortiment family famille
        familia produktgruppe rayon reparto""",
    "VENDOR": """vendor brand marke supplier lieferant hersteller manufacturer fournisseur marque proveedor marca fornitore merk
        producer leverancier dostawca""",
    "SIZE": "size grosse inhalt content contenance taille gewicht weight fullmenge inhoud contenido ml cl",
    "FORMAT": """format class klasse typ type kind vertriebsform vertriebslinie channel betriebstyp tipo formato formaat vertriebstyp
        grossenklasse art""",
    "REGION": """region regions area gebiet territory district bezirk vertriebsgebiet verkaufsgebiet absatzgebiet zone secteur zona
        regione regiao regio division bereich gebiets""",
    "STATE": "state bundesland land province provincia kanton departement",
    "PLACE": "city ort town stadt ville ciudad citta station place location plaats miejscowosc wetterstation standort cidade gemeinde stad",
    "WEATHER": "weather wetter meteo clima weer pogoda tiempo",
    "ZIP": "zip cp plz postal postcode postleitzahl zipcode cap cep postnummer",
    "LATITUDE": "lat latitude breite breitengrad latitud latitudine",
    "LONGITUDE": "lon lng long longitude lange langengrad longitud longitudine",
    "DISTANCE": "distance entfernung miles mile km abstand distancia distanza distanz",
    "TEMPERATURE": "temp tavg tmean tmittel temperature temperatur temperatura temperatuur",
    "LOW": "min low tief minimum lowest minima tmin tiefst mindest mini minimal tiefsttemperatur minimo",
    "HIGH": "max high hoch hochst maximum highest maxima tmax hochsttemperatur maxi maximal massimo",
    "RAIN": """rain precip precipitation niederschlag regen pluie lluvia pioggia neerslag chuva prcp precipitations rainfall
        precipitacion niederschlagsmenge regenmenge opad precipitazioni""",
    "ISSUED": "issued issue ausgegeben erstellt ausgabe emis emitido emesso run created erstellung",
    "TARGET": "target ziel gultig zieltag zieldatum validity cible",
    "FORECAST": "forecast forecasts vorhersage vorhersagen prognose prognosen prevision previsions pronostico fc fcst previsioni voorspelling",
    "OBSERVED": "observed observation observations actual measured gemessen beobachtet beobachtung messung historical historie",
    "KNOWN": """known reported report gemeldet announced angekundigt ankundigung bekannt booked posted meldung gebucht
        announcement annonce anunciado credited signale melde""",
    "FROM": "from start begin begins von ab beginn debut du inicio desde inizio dal since starts anfang gultigab",
    "UNTIL": "to end ending ended until till bis ende fin au hasta fine al through ends",
    "CLOSED": "closed closing schliessung geschlossen ferme fermeture cerrado cierre chiuso chiusura",
    "DELISTED": "delisted delisting ausgelistet auslistung discontinued dereferencement",
    "EVENT": "event events anlass ereignis evenement evento occasion campaign kampagne",
    "HOLIDAY": "holiday holidays feiertag feiertage ferie feries festivo festivos feriado ferien festivita",
    "SCHOOL": "school schul schule schulferien vacances vacaciones",
    "PROMOTION": """promo promos promotion promotions aktion aktionen werbung angebot angebote offer offers deal deals oferta ofertas
        promozione promozioni ad""",
    "POPULATION": "population einwohner bevolkerung habitants poblacion inhabitants popolazione inwoners einwohnerzahl",
    "INCOME": "income einkommen kaufkraft revenu ingreso ingresos reddito inkomen",
    "RENT": "rent miete loyer alquiler affitto kaltmiete",
    "AGE": "age alter edad eta leeftijd durchschnittsalter",
    "OUTLOOK": "outlook sky conditions wetterlage witterung",
    "PUBLISHED": "published veroffentlicht stichtag publicado publication stand asof",
    "MONEY": "dollars revenue umsatz turnover eur usd value wert betrag amount sum euro chf gbp montant importe importo",
    "OTHER_TIME": "last next previous vor nachste prior lag ytd vorwoche vorjahr lastweek nextweek next2days folge prev",
    "MEAN": "mean avg average durchschnitt mittel mittlere moyenne media promedio median tagesmittel",
    "LINE": "line position pos zeile ligne linea",
    "DEMOGRAPHICS": "demographics demographic demografie demographie zensus census soziodemografie",
    "MASTER": "master stamm stammdaten list liste catalog katalog catalogue catalogo stammblatt",
}
"""Concept -> words, without accents; `ae`, `oe` and `ue` may stand for umlauts."""

UNITS = {
    "fahrenheit": ("f", "fahrenheit", "degf"),
    "inch": ("in", "inch", "inches"),
    "mile": ("mile", "miles", "mi"),
    "centilitre": ("cl",),
    "litre": ("l", "liter", "litre", "litres", "litros"),
    "fluid_ounce": ("oz", "floz"),
    "dozen": ("dozen", "dozens", "dutzend", "dz"),
    "kilogram": ("kg", "kilo", "kilogram"),
    "pound": ("lb", "lbs", "pounds"),
}
"""Unit of the provider YAML -> words of a column's name that tell it."""

_MEASURES = frozenset({*(word for words in UNITS.values() for word in words), "mm", "km", "c", "ml", "degc", "celsius"})
_LINKS = ("", "s", "n", "en", "e", "er", "es")


def plain(text: str) -> str:
    """Lower case without accents, umlauts one way."""
    text = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    return text.replace("ae", "a").replace("oe", "o").replace("ue", "u")


_WORDS: dict[str, str] = {plain(word): concept for concept, words in CONCEPTS.items() for word in words.split()}


def tokens(name: str) -> list[str]:
    """The words of a name: split at signs, at digits, and where a small letter meets a capital."""
    apart = re.sub(r"(?<=[a-zäöüéè])(?=[A-ZÄÖÜ])", " ", name)
    return [word for word in re.split(r"[^a-z]+", plain(apart)) if word]


@lru_cache(maxsize=10_000)
def concepts(name: str) -> frozenset[str]:
    """The concepts that a name's words stand for, compounds like `Filialnummer` or `Liefermenge` taken apart."""
    found: set[str] = set()
    for word in tokens(name):
        found.update(_of_word(word))
    whole = "".join(tokens(name))
    return frozenset(found or _of_word(whole))


def unit_of(name: str) -> str | None:
    """The unit that a name's words tell, of those that are converted; None where it tells none."""
    present = [word for word in tokens(name) if word in _MEASURES]
    return next((unit for word in reversed(present) for unit, words in UNITS.items() if word in words), None)


@lru_cache(maxsize=10_000)
def _of_word(word: str) -> frozenset[str]:
    if word in _WORDS:
        return frozenset({_WORDS[word]})
    parts = _parts(word)
    if parts is not None:
        return frozenset(parts)
    # A compound with one part that is not known: its last part says what it is.
    ends = [known for known in _WORDS if len(known) >= 5 and (word.endswith(known) or word.startswith(known))]
    return frozenset({_WORDS[max(ends, key=len)]}) if ends else frozenset()


def _parts(word: str) -> list[str] | None:
    """The concepts of a word that consists of known words; None where it does not."""
    for length in range(len(word), 1, -1):
        head = word[:length]
        if head not in _WORDS or (len(head) < 3 and length < len(word)):
            continue
        if length == len(word):
            return [_WORDS[head]]
        for link in _LINKS:
            if word[length:].startswith(link) and (rest := _parts(word[length + len(link) :])) is not None:
                return [_WORDS[head], *rest]
    return None
