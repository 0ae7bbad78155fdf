"""The standard source contracts: what every provider's files are mapped onto, and how they stand in bronze."""

from dataclasses import replace

from transforms.contracts.base import Column, Contract, Source

FORMATS = ("large", "small")

REGION = Column("region", "text", "Sales region key, lower case with underscores.")
STORE = Column("store_id", "text", "The provider's store number, as text.", disguised_as="store")
PRODUCT = Column("product_id", "text", "The provider's product number, as text.", disguised_as="product")
WEEK = Column("week", "date", "Monday of the week.", monday=True)
PAST_WEEK = replace(WEEK, past=True)
KNOWN_AT = Column("known_at", "timestamp", "When the fact became known; nothing may use it at an origin that ended earlier.", unit="UTC")
PLACE = Column("place", "text", "Weather station, city or ZIP that the weather is for.")
TMIN = Column("tmin_c", "number", "Daily minimum temperature.", unit="degC", required=False, minimum=-70, maximum=60, disguise="shifted")
TMAX = Column("tmax_c", "number", "Daily maximum temperature.", unit="degC", required=False, minimum=-70, maximum=60, disguise="shifted")
PRECIP = Column("precip_mm", "number", "Precipitation (rain and melted snow).", unit="mm", required=False, minimum=0, maximum=1000, disguise="kept")

LINEAGE = (
    Column("source_file", "text", "Landing file that the row came from, relative to the landing folder."),
    Column("source_hash", "text", "SHA-256 of that file's content; starts with 'unread-' where there was none to read."),
)
ARRIVED_AT = Column("arrived_at", "timestamp", "When that version of the file was first seen in landing.", unit="UTC", required=False)

SHIPMENTS = Source(
    "bronze/shipments",
    "One row per store, product and week in which the product was delivered, and source file.",
    (
        REGION,
        STORE,
        PRODUCT,
        PAST_WEEK,
        Column("units_shipped", "integer", "Units delivered in the week.", unit="units", minimum=0, disguise="cases"),
        KNOWN_AT,
    ),
    key=("region", "store_id", "product_id", "week"),
    fresh_for=10,
    needed=True,
    derived={"known_at": "timezone('UTC', week + interval 7 day)"},
)
RETURNS = Source(
    "bronze/returns",
    "One row per store, product, week of shipment and time at which the return became known.",
    (
        REGION,
        STORE,
        PRODUCT,
        replace(PAST_WEEK, description="Monday of the week in which the returned units had been shipped."),
        Column("units_returned", "integer", "Units that came back.", unit="units", minimum=0, disguise="returned_cases"),
        KNOWN_AT,
    ),
    key=("region", "store_id", "product_id", "week", "known_at"),
    fresh_for=35,
    may_be_empty=True,
    derived={"known_at": "timezone('UTC', week + interval 7 day)"},
)
WEATHER_OBSERVED = Source(
    "bronze/weather_observed",
    "One row per region, place and day: the weather as it was measured.",
    (REGION, PLACE, Column("date", "date", "Day of the observation.", past=True, staged_as="observed_date"), WEEK, TMIN, TMAX, PRECIP, KNOWN_AT),
    key=("region", "place", "date"),
    fresh_for=10,
    derived={"week": "date_trunc('week', date)::date", "known_at": "timezone('UTC', date + interval 1 day)"},
    read_whole="climatology looks back over past years",
    sampled_whole=True,
)
WEATHER_FORECAST = Source(
    "bronze/weather_forecast",
    "One row per region, place, time of issue and target day: the weather as it was forecast.",
    (
        REGION,
        PLACE,
        replace(WEEK, description="Monday of the week in which the forecast was issued."),
        Column("issued_at", "timestamp", "When the forecast was issued.", unit="UTC"),
        Column("target_date", "date", "Day that the forecast is for."),
        TMIN,
        TMAX,
        PRECIP,
        Column("outlook", "text", "The forecaster's word for the day (SUNNY, RAIN, SNOW ...).", required=False, disguise="kept"),
        KNOWN_AT,
    ),
    key=("region", "place", "issued_at", "target_date"),
    fresh_for=10,
    derived={"week": "date_trunc('week', issued_at)::date", "known_at": "issued_at"},
    read_whole="a forecast issued in one week is for days of the next",
)
STORES = Source(
    "bronze/stores",
    "One row per store.",
    (
        STORE,
        REGION,
        Column("name", "text", "Name on the sign.", required=False, disguise="renamed"),
        Column("format", "text", "large (supermarkets, big boxes) or small (drugstores, convenience).", allowed=FORMATS, disguise="kept"),
        Column("zip", "text", "Postal code.", required=False),
        replace(PLACE, description="Nearest weather station, city or ZIP with weather.", required=False),
        Column("place_km", "number", "Distance to that place.", unit="km", required=False, minimum=0, disguise="blurred"),
        Column("latitude", "number", "Latitude (WGS 84).", unit="deg", required=False, minimum=-90, maximum=90, disguise="moved"),
        Column("longitude", "number", "Longitude (WGS 84).", unit="deg", required=False, minimum=-180, maximum=180, disguise="moved"),
        Column("closed_on", "date", "Day from which the store is closed: weeks that begin on it or later are not planned.", required=False),
        Column("closing_known_at", "timestamp", "When the closing was announced; empty: on the day itself.", unit="UTC", required=False),
    ),
    key=("store_id",),
    sliced=False,
    version=2,
    needed=True,
)
PRODUCTS = Source(
    "bronze/products",
    "One row per product and date from which its attributes hold.",
    (
        PRODUCT,
        Column("valid_from", "date", "Day from which the row holds; empty for ever.", required=False),
        Column("name", "text", "Description.", required=False, disguise="renamed"),
        Column("category", "text", "Product category.", required=False),
        Column("vendor", "text", "Vendor or brand.", required=False),
        Column("size_ml", "number", "Content of one unit (or another measure of its size).", unit="ml", required=False, minimum=0, disguise="kept"),
        Column("case_pack", "integer", "Units in a case: deliveries are multiples of it.", unit="units", minimum=1, disguise="kept"),
        Column("price", "number", "List price of one unit.", unit="USD", required=False, minimum=0),
        Column("margin", "number", "Margin lost when one unit of demand is not met.", unit="USD", required=False, minimum=0, disguised_as="price"),
        Column("return_cost", "number", "Cost of one unit that comes back.", unit="USD", required=False, minimum=0, disguised_as="price"),
        Column("delisted_on", "date", "Day from which it is not sold any more: weeks that begin on it or later are not planned.", required=False),
        Column("delisting_known_at", "timestamp", "When the delisting was announced; empty: on the day itself.", unit="UTC", required=False),
    ),
    key=("product_id", "valid_from"),
    sliced=False,
    version=2,
    needed=True,
)
DEMOGRAPHICS = Source(
    "bronze/demographics",
    "One row per postal code and date from which the figures are known.",
    (
        Column("zip", "text", "Postal code."),
        Column("valid_from", "date", "Day from which the figures were public."),
        Column("population", "number", "Inhabitants.", unit="persons", required=False, minimum=0, disguised_as="people"),
        Column("income", "number", "Income per head.", unit="USD", required=False, minimum=0, disguised_as="money"),
        Column("median_rent", "number", "Median rent.", unit="USD", required=False, minimum=0, disguised_as="money"),
        Column("median_age", "number", "Median age.", unit="years", required=False, minimum=0, maximum=120, disguise="kept"),
    ),
    key=("zip", "valid_from"),
    sliced=False,
)
EVENTS = Source(
    "bronze/events",
    "One row per event, first day, and the region, store or product that it is limited to (empty for all).",
    (
        Column("event", "text", "Name of the event.", disguise="renamed_event"),
        Column("kind", "text", "public_holiday, observance, local or promotion.", disguise="kept"),
        Column("start_date", "date", "First day."),
        Column("end_date", "date", "Last day."),
        replace(REGION, description="Region that the event is limited to.", required=False),
        replace(STORE, description="Store that the event is limited to.", required=False),
        replace(PRODUCT, description="Product that the event is limited to.", required=False),
        Column("known_at", "timestamp", "When the event was announced; empty for calendar events, known for ever.", unit="UTC", required=False),
    ),
    key=("event", "start_date", "region", "store_id", "product_id"),
    sliced=False,
    may_be_empty=True,
    derived={"end_date": "start_date"},
)

SOURCES: dict[str, Source] = {
    contract.table: contract for contract in (STORES, PRODUCTS, DEMOGRAPHICS, EVENTS, SHIPMENTS, RETURNS, WEATHER_OBSERVED, WEATHER_FORECAST)
}
"""Contracts that an adapter delivers, by source name; reference sources come first, since facts are checked against them."""


def _in_bronze(contract: Source) -> Contract:
    return replace(contract, columns=(*contract.columns, *LINEAGE, ARRIVED_AT), version=contract.version + 1)


LANDING_FILES = Contract(
    "bronze/landing_files",
    "One row per source, version (content hash) of a landing file and time at which it was looked at; the latest counts.",
    (
        Column("source", "text", "Source contract that the file was mapped onto."),
        *LINEAGE,
        Column("bytes", "integer", "Size of the file.", unit="bytes", minimum=0),
        Column("rows", "integer", "Rows that stand in bronze, those with the same key added up.", unit="rows", minimum=0),
        Column("rows_read", "integer", "Rows of the file.", unit="rows", minimum=0, default=0),
        Column("rows_skipped", "integer", "Rows that belong to another source, or to a place without stores.", unit="rows", minimum=0, default=0),
        Column("rows_repeated", "integer", "Rows that say again what an earlier row said.", unit="rows", minimum=0, default=0),
        Column("rows_quarantined", "integer", "Rows that break the contract.", unit="rows", minimum=0, default=0),
        Column("rows_taken", "integer", "Rows taken in: what is read is skipped, repeated, quarantined or taken.", unit="rows", minimum=0, default=0),
        Column("rows_refused", "integer", "Rows that were read of a file that is refused or held whole.", unit="rows", minimum=0, default=0),
        Column(
            "records",
            "integer",
            "Records of the file as a second reader counts them, added up over the mappings that read it; empty where it was not read to its end.",
            unit="records",
            required=False,
            minimum=0,
        ),
        Column("records_aside", "integer", "Those of them that are no rows: headers and blank records.", unit="records", minimum=0, default=0),
        Column("columns", "text", "Columns that the file came with, comma-separated.", required=False),
        Column("mapping", "text", "Hash of the provider's settings that it was read with.", required=False),
        Column("counted", "flag", "The provider says that it counts, though it says what another file says.", default=False),
        Column(
            "status",
            "text",
            "accepted, refused, held (for a person: it says nearly what other files say) or repeated (another file has its content).",
            allowed=("accepted", "refused", "held", "repeated"),
        ),
        Column(
            "message", "text", "Why it was refused or held (what was expected, what came, where, what to do), or what was noticed.", required=False
        ),
        Column("registered_at", "timestamp", "When it was looked at.", unit="UTC"),
    ),
    key=("source", "source_file", "source_hash", "registered_at"),
    sliced=False,
    append_only=True,
)
LANDING_SLICES = Contract(
    "bronze/landing_slices",
    "One row per source, version of a landing file, region and week that the file holds rows for.",
    (
        Column("source", "text", "Source contract."),
        *LINEAGE,
        REGION,
        WEEK,
        Column("rows", "integer", "Rows of the file in the slice, and lines of other files there that it has elsewhere.", unit="rows", minimum=0),
        Column("fingerprint", "text", "Order-free hash of those rows."),
        Column("registered_at", "timestamp", "When the file was looked at; the latest counts.", unit="UTC", required=False),
    ),
    key=("source", "source_file", "source_hash", "region", "week", "registered_at"),
    sliced=False,
    append_only=True,
)
INGESTED_SLICES = Contract(
    "bronze/ingested_slices",
    "One row per source, region and week: what of landing stands in bronze.",
    (REGION, WEEK, Column("source", "text", "Source contract."), Column("fingerprint", "text", "Hash over the files' slice fingerprints.")),
    key=("region", "week", "source"),
)
CONDITIONED_SLICES = Contract(
    "bronze/conditioned_slices",
    "One row per source, region and week: what of landing has been conditioned; the source 'unfinished' while that is under way or was interrupted.",
    (REGION, WEEK, Column("source", "text", "Source contract, or 'unfinished'."), Column("fingerprint", "text", "As in ingested_slices.")),
    key=("region", "week", "source"),
)
INGESTED_REFERENCES = Contract(
    "bronze/ingested_references",
    "One row per source of reference data: what of landing stands in bronze.",
    (Column("source", "text", "Source contract."), Column("fingerprint", "text", "Hash over the versions of the files that speak.")),
    key=("source",),
    sliced=False,
)
CONDITIONED_REFERENCES = Contract(
    "bronze/conditioned_references",
    "One row per source of reference data: what of landing has been conditioned; the source 'unfinished' while that is under way or was interrupted.",
    (Column("source", "text", "Source contract, or 'unfinished'."), Column("fingerprint", "text", "As in ingested_references.")),
    key=("source",),
    sliced=False,
)
QUARANTINE = Contract(
    "bronze/quarantine",
    "One row per row of a file in landing that breaks its contract, or counts without a value; it leaves once the file comes without the fault.",
    (
        Column("source", "text", "Source contract that the row breaks."),
        *LINEAGE,
        ARRIVED_AT,
        Column(
            "row",
            "integer",
            "Number of the row in the file, the first after the header being 1; counted on over its sheets and cells.",
            unit="rows",
            minimum=0,
        ),
        Column("reading", "integer", "Which of the source's mappings of the file it breaks, the first being 1.", minimum=1, default=1),
        Column("rule", "text", "The rule it breaks, as column and condition."),
        Column("message", "text", "What was expected, what came, and what to do."),
        replace(REGION, description="Region that the row is about, where that can be told.", required=False),
        replace(WEEK, description="Week that the row is about, where that can be told.", required=False, monday=False),
        Column("record", "text", "The row as it came, as JSON."),
        Column("kept", "flag", "The row was taken in without the value, which the contract can do without.", default=False),
    ),
    key=("source", "source_file", "row", "reading"),
    sliced=False,
)

BRONZE: tuple[Contract, ...] = (
    *map(_in_bronze, SOURCES.values()),
    *(LANDING_FILES, LANDING_SLICES, INGESTED_SLICES, INGESTED_REFERENCES, CONDITIONED_SLICES, CONDITIONED_REFERENCES, QUARANTINE),
)
