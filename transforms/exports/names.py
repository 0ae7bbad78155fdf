"""Names of stores and products as they are known now, as SQL for queries over silver_stores and silver_products."""

_NOW = "coalesce(valid_from, date '0001-01-01')"
STORES_NOW = f"select store_id, arg_max(name, {_NOW}) as name from silver_stores group by 1"
PRODUCTS_NOW = f"""
    select product_id, arg_max(name, {_NOW}) as name, arg_max(category, {_NOW}) as category from silver_products group by 1
"""
