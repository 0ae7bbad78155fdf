"""`shelfcast reproduce`, `trace`, `audit`, `backup`, `restore`, `doctor`, `maturity`: thin commands over `views.audit` and `cli.operate.recovery`."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import AfterOrigin, NewestWeek, Product, Region, Root, Store, Week
from orchestration.project import use_lake
from orchestration.settings import use_root
from orchestration.views.tables import output_console

if TYPE_CHECKING:
    from orchestration.reports.report import Report
    from transforms.lake.tables import Lake


Page = Annotated[bool, typer.Option("--page", help="Also write it as an HTML page below reports/trace.")]
trace_app = typer.Typer(name="trace", help="Where a forecast, model or data version comes from, and what a raw file went into.", no_args_is_help=True)
audit_app = typer.Typer(name="audit", help="The record of data and models: is it as it was written, and what does it hold.", no_args_is_help=True)


def register_commands(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    for command in (reproduce, backup, restore, doctor, maturity):
        app.command()(command)
    app.add_typer(trace_app)
    app.add_typer(audit_app)


def reproduce(
    region: Region,
    week: Week,
    segment: Annotated[str | None, typer.Option("--segment", help="Segment of the region, like large-fast or small-all (default: all).")] = None,
    root: Root = None,
) -> None:
    """Train past models again from the recorded data versions, settings and seeds, and compare parameters and forecasts by SHA-256."""
    from orchestration.views.audit import show_reproduction  # noqa: PLC0415 - commands import what they need, so that --help is quick

    if not show_reproduction(use_lake(root), region, week, segment, output_console()):
        raise typer.Exit(1)


@trace_app.command("forecast")
def trace_forecast(
    region: Region,
    store: Store,
    product: Product,
    week: NewestWeek = None,
    target: AfterOrigin = None,
    page: Page = False,
    root: Root = None,
) -> None:
    """From one forecast back to model, data version, raw files with hashes, code commit, runs and approvers."""
    from orchestration.reports.trace import forecast_report  # noqa: PLC0415
    from orchestration.views.audit import show_trace  # noqa: PLC0415
    from orchestration.views.weeks import origin_and_target  # noqa: PLC0415
    from transforms.calendar import Region as RegionKey  # noqa: PLC0415

    def report(lake: "Lake") -> "Report":
        return forecast_report(lake, RegionKey(region), store, product, *origin_and_target(lake, week, target))

    show_trace(use_lake(root), report, page, output_console())


@trace_app.command("model")
def trace_model(
    version: Annotated[str, typer.Argument(help="Model version, or the start of it that is enough.")], page: Page = False, root: Root = None
) -> None:
    """From a model back to code, data and raw files, and on to its forecasts."""
    from orchestration.reports.trace import model_report  # noqa: PLC0415
    from orchestration.views.audit import show_trace  # noqa: PLC0415

    show_trace(use_lake(root), lambda lake: model_report(lake, version), page, output_console())


@trace_app.command("dataset")
def trace_dataset(
    version: Annotated[str, typer.Argument(help="Data version, as 'shelfcast data log' lists them.")], page: Page = False, root: Root = None
) -> None:
    """From a version of the data back to raw files, and on to models and forecasts."""
    from orchestration.reports.trace import dataset_report  # noqa: PLC0415
    from orchestration.views.audit import show_trace  # noqa: PLC0415

    show_trace(use_lake(root), lambda lake: dataset_report(lake, version), page, output_console())


@trace_app.command("file")
def trace_file(
    name: Annotated[str, typer.Argument(help="File below the landing folder, or the start of its SHA-256.")], page: Page = False, root: Root = None
) -> None:
    """From a raw file on to the data versions, models and forecasts that used it."""
    from orchestration.reports.trace import file_report  # noqa: PLC0415
    from orchestration.views.audit import show_trace  # noqa: PLC0415

    show_trace(use_lake(root), lambda lake: file_report(lake, name), page, output_console())


@audit_app.command("verify")
def audit_verify(
    head: Annotated[list[str] | None, typer.Option("--head", help="A head that was kept elsewhere, as printed by this command; repeatable.")] = None,
    every: Annotated[bool, typer.Option("--every-dataset", help="Hash every data version on record again, not the latest alone.")] = False,
    root: Root = None,
) -> None:
    """Recompute the hash chains, artifacts and data versions; the first row or commit that does not fit is named. Exit code 1 if any."""
    from orchestration.views.audit import show_verification  # noqa: PLC0415

    if not show_verification(use_lake(root), head or [], every, output_console()):
        raise typer.Exit(1)


@audit_app.command("page")
def audit_page(root: Root = None) -> None:
    """Write reports/audit/index.html: verification, models in service with their lineage, decisions, raw files."""
    from orchestration.views.audit import write_audit_page  # noqa: PLC0415

    write_audit_page(use_lake(root), output_console())


def backup(
    to: Annotated[str, typer.Option("--to", help="Where to write: a folder, or an address like s3://bucket/prefix.")],
    root: Root = None,
) -> None:
    """Back up the whole root: tables, models, landing, reports, project file, run history. Contents that are there already are not copied again.

    The place lies outside of the lake root, best on another disk or in another bucket, and holds any number of backups.
    """
    from orchestration.cli.operate.recovery import back_up_root  # noqa: PLC0415

    back_up_root(use_lake(root), to, output_console())


def restore(
    source: Annotated[str, typer.Argument(help="Folder of the backup, or its address like s3://bucket/prefix.")],
    name: Annotated[str | None, typer.Option("--backup", help="Which backup (default: the latest).")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only verify the backup's contents; nothing is restored.")] = False,
    root: Root = None,
) -> None:
    """Make the lake root from a backup, verifying each file and then the record; refused where the root holds anything."""
    from orchestration.cli.operate.recovery import check_backup, restore_root  # noqa: PLC0415

    if check:
        check_backup(source, name, output_console())
    elif not restore_root(use_root(root), source, name, output_console()):
        raise typer.Exit(1)


def doctor(
    mend: Annotated[bool, typer.Option("--mend", help="Also mend what can be mended without losing anything that is on record.")] = False,
    root: Root = None,
) -> None:
    """Find what interruptions and accidents left behind: slices, runs, files, locks, tables. Exit code 1 if anything is left to do."""
    from orchestration.cli.operate.recovery import doctor_root  # noqa: PLC0415

    if not doctor_root(use_lake(root), mend, output_console()):
        raise typer.Exit(1)


def maturity(root: Root = None) -> None:
    """Show the MLOps maturity level, 0 to 4, that the evidence in lake, run history and CI configuration supports, and the next missing step."""
    from orchestration.views.audit import show_maturity  # noqa: PLC0415

    show_maturity(use_lake(root), output_console())
