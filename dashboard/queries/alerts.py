"""Alerts as they stand on record: which are open, who was told of each, and what became of messages. What is open is decided where they are sent."""

from dashboard.queries.reader import Reader
from transforms.rows import Row

_MESSAGES = 30


def open_alerts(reader: Reader) -> list[Row]:
    """Causes that were open at the last look that found a change, the urgent first: title, kind, severity, items, since when, and `told`.

    `told` has for each rule its last message on the cause since it opened: rule, state, outcome, failure.
    """
    return reader.rows(
        """
        with seen as (select * from gold_alerts where rule is null),
        latest as (select * from seen qualify row_number() over (partition by cause order by event_time desc) = 1),
        opened as (select cause, max(event_time) as since from seen where state = 'opened' group by cause),
        messages as (
            select a.cause, a.rule, a.state, a.outcome, a.failure from gold_alerts as a join opened as o using (cause)
            where a.rule is not null and a.event_time > o.since
            qualify row_number() over (partition by a.cause, a.rule order by a.event_time desc) = 1
        ), told as (
            select cause, list({rule: rule, state: state, outcome: outcome, failure: failure} order by rule) as told from messages group by cause
        )
        select l.cause, l.kind, l.severity, l.title, l.items, o.since, coalesce(t.told, []) as told
        from latest as l join opened as o using (cause) left join told as t using (cause) where l.state <> 'recovered'
        order by case l.severity when 'critical' then 0 when 'warning' then 1 else 2 end, o.since desc, l.cause
        """,
        "gold/alerts",
    )


def messages(reader: Reader) -> list[Row]:
    """The latest messages, the newest first: when, to which rule and address, what, and what became of it."""
    return reader.rows(f"select * from gold_alerts where rule is not null order by event_time desc limit {_MESSAGES}", "gold/alerts")
