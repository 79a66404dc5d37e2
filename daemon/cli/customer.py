"""`customer`: one customer's licenses and history."""

from typing import TYPE_CHECKING

import click

from daemon.cli.common import TEXT, CommandContext, with_context

if TYPE_CHECKING:
    from daemon.diagnostics.customers import CustomerAccount
    from rules.insights.customer_history import Step


@click.command()
@with_context
@click.argument("customer_id", metavar="ID", type=TEXT)
def customer(context: CommandContext, customer_id: str) -> None:
    """Show a customer's licenses, and the history with the MRR after each step.

    ID is the `_id` of the customer's document. No e-mail address and no license key is shown.

    \b
    Example:
      chatello-analytics customer 66c4f0c0ffee65f0c0ffee65
    """
    from daemon.diagnostics.customers import Customers
    from daemon.mongo.cluster_time import cluster_datetime, newest
    from daemon.store.reference_lookup import reference_id

    database, settings = context.database, context.config.settings()
    known = reference_id(database, "customer_id", customer_id)
    with database.client.start_session(snapshot=True) as session:
        account = Customers(database, session, settings, cluster_datetime(newest(database))).account(known)
    if account is None:
        raise click.BadParameter("no customer has this id", param_hint="ID")
    _show(account)


def _show(account: "CustomerAccount") -> None:
    line = account.line
    name = "(forgotten)" if line.is_forgotten else line.name or "(unnamed)"
    click.echo(f"{name}: {line.standing}, MRR {line.mrr_cents / 100:.2f}")
    for license in account.licenses:
        ends = f", until {license.expires_at:%Y-%m-%d}" if license.expires_at else ""
        click.echo(f"  license {license.plan or 'of an unknown plan'}: {license.status}{ends}")
    for step in account.history.steps:
        click.echo(
            f"{step.at:%Y-%m-%d %H:%M}  {step.mrr_cents / 100:+9.2f}  {step.mrr_after / 100:9.2f}  {_text(step)}"
        )
    click.echo(f"{'before':16}  {'':9}  {account.history.before / 100:9.2f}")


def _text(step: "Step") -> str:
    from rules.text import note_text

    if step.event is not None:
        return note_text(step.event.get("description"))
    return f"{step.line.movement.kind}: {step.line.movement.reason}" if step.line is not None else ""
