"""What reference files name that the lists of stores and products do not hold, and the other way round. Facts are checked row by row instead."""

import pyarrow as pa
import pyarrow.compute as pc

from transforms.adapters import ProviderSpec, References

_NAMED = 3


def unlisted(rows: pa.Table, references: References, provider: ProviderSpec) -> list[str]:
    """Sentences about events of regions, stores and products that are in no list."""
    listed = {"region": references.stores["region"], "store_id": references.stores["store_id"], "product_id": references.products["product_id"]}
    if provider.unknown_products == "accept":
        del listed["product_id"]
    notes = []
    for column, known in listed.items():
        values = rows[column].drop_null()
        unknown = values.filter(pc.invert(pc.is_in(values, value_set=pc.unique(known))))
        if len(unknown):
            what = "a region without stores" if column == "region" else f"a {column.removesuffix('_id')} that is in no list"
            are = "are" if len(unknown) > 1 else "is"
            notes.append(
                f"{len(unknown)} of its {rows.num_rows} events {are} of {what}, like {_some(unknown)}: nothing follows from them. "
                "Correct them, or add what is missing to its list."
            )
    return notes


def without_demographics(zips: set[str], references: References) -> list[str]:
    """A sentence about ZIPs of stores that are not among those of demographics."""
    wanted = {*references.stores["zip"].drop_null().to_pylist()}
    missing = wanted - zips
    if not missing:
        return []
    found = len(wanted) - len(missing)
    return [
        f"{found or 'None'} of the {len(wanted)} ZIPs of stores {'is' if found < 2 else 'are'} in it: it lacks {_some(missing)}, and holds ZIPs like "
        f"{_some(zips)}. Where zeros in front are gone or a ZIP+4 stands, say 'width: 5' at zip in the provider YAML."
    ]


def _some(values: pa.ChunkedArray | set[str]) -> str:
    return ", ".join(sorted(values if isinstance(values, set) else set(values.to_pylist()))[:_NAMED])
