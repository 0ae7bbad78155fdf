"""What `shelfcast why` shows."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.service.why import why
from orchestration.settings import Settings
from orchestration.views.weeks import origin_and_target
from transforms.features.feature import GROUPS
from transforms.lake.tables import Lake

_BAR = 24


def show_why(settings: Settings, region: str, store: str, product: str, week: str | None, target: str | None, console: Console) -> None:
    """Explain one forecast: a line for each group with a bar, the sum at the end."""
    lake = Lake(settings.root, settings.storage_options)
    weeks = origin_and_target(lake, week, target)
    found = why(lake, region, store, product, *weeks)
    _show(found.parts, found.forecast, console)


def _show(parts: dict[str, float], forecast: dict[str, object], console: Console) -> None:
    console.print(
        f"[bold]{escape(str(forecast['store_id']))} {escape(str(forecast['product_id']))}[/] in {forecast['region']}: "
        f"forecast made at {forecast['origin_week']} for {forecast['target_week']} by {forecast['model_version']} ({forecast['rung']})",
        highlight=False,
        soft_wrap=True,
    )
    table = Table("", "units", "", caption=_CAPTION)
    table.columns[1].justify = "right"
    table.columns[2].no_wrap = True
    table.add_row("knowing nothing of the series", f"{parts['reference']:.6f}", "")
    widest = max((abs(parts[group]) for group in GROUPS), default=0) or 1
    for group in GROUPS:
        bar = "█" * round(_BAR * abs(parts[group]) / widest)
        table.add_row(group.replace("_", " "), f"{parts[group]:+.6f}", f"[{'green' if parts[group] > 0 else 'red'}]{bar}[/]")
    table.add_section()
    table.add_row("expected demand", f"{parts['expected']:.6f}", "", style="bold")
    console.print(table)
    if forecast["ended"] is not None:
        console.print(f"Nothing is expected: {forecast['ended']}.", highlight=False, soft_wrap=True)
    console.print(
        f"80 % band {forecast['q10']:.0f} to {forecast['q90']:.0f}; probability of demand {forecast['p_demand']:.2f}; "
        f"{forecast['size']:.0f} units if there is demand; historical average {forecast['baseline']:.2f}.",
        highlight=False,
    )


_CAPTION = "What each group of features adds, on average over all orders in which they could become known; the lines add up to the last decimal."
