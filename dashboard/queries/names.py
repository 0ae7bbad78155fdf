"""Stores and products to choose from, by the names that they have now."""

from typing import Any

from dashboard.queries.reader import Reader
from transforms.contracts.silver import SILVER_PRODUCTS, SILVER_STORES
from transforms.exports.names import PRODUCTS_NOW, STORES_NOW

_KINDS = {
    "store_id": ("Store", SILVER_STORES.name, STORES_NOW),
    "product_id": ("Product", SILVER_PRODUCTS.name, PRODUCTS_NOW),
}


def named(reader: Reader, column: str, table: str, where: str, **parameters: Any) -> dict[str, str]:
    """The stores (or products) that rows of a table are about: id -> name, by name.

    Parameters
    ----------
    column
        store_id or product_id.
    where
        SQL over the table's columns.
    """
    kind, names, now = _KINDS[column]
    sql = f"""
        select {column} as id, name
        from (select distinct {column} from {table.replace("/", "_")} where {where}) left join ({now}) using ({column})
        order by name nulls last, id
    """
    return {row["id"]: row["name"] or f"{kind} {row['id']}" for row in reader.rows(sql, table, names, **parameters)}
