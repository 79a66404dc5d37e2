"""What the indexes of the pages of customers cost a commit: databases with and without them, in random order."""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random
from typing import NamedTuple

from pymongo import IndexModel

from bench import shop, years
from bench.measures import Bench, Row, Sample
from bench.server import DATABASE, Server
from bench.years import Write
from daemon import clock
from daemon.config.schema import Config
from daemon.mongo.client import CODEC
from daemon.mongo.collections import LEDGER, MIRROR
from daemon.mongo.types import Database
from daemon.pipeline.pipeline import Pipeline
from daemon.store import indexes
from rules.model.changes import Source

ROUNDS = 300
WARM_UPS = 10
SOLD = 100
"""New customers of a commit, each with a license."""
ALL, NONE = "all", "none"


class Contender(NamedTuple):
    """The pipeline of a database; `took` has the milliseconds of its commits."""

    pipeline: Pipeline
    config: Config
    took: list[Sample]


def rows(bench: Bench) -> list[Row]:
    names = [_name(collection, index) for collection in (MIRROR, LEDGER) for index in indexes.FOR_PAGES[collection]]
    chance = Random(20)
    with ExitStack() as stack:
        contenders = {without: _open(bench.server, without, stack) for without in (ALL, *names, NONE)}
        for number in range(int(ROUNDS * min(1.0, bench.scale)) + WARM_UPS):
            for contender in chance.sample(list(contenders.values()), len(contenders)):
                _commit(bench.server, contender, number)
    found = {without: one.took[WARM_UPS:] for without, one in contenders.items()}
    return [_row(found, name) for name in (*names, NONE)]


def _open(server: Server, without: str, stack: ExitStack) -> Contender:
    """Return a database with all indexes (`ALL`), all but one, or none of the pages."""
    db: Database = server.client.get_database(f"{DATABASE}_{without.replace('.', '_')}", codec_options=CODEC)
    config = Config.model_validate({"mongodb": {"uri": server.uri, "database": db.name}})
    shop.open_shop(db)
    indexes.create(db)
    for collection in (MIRROR, LEDGER):
        models = indexes.FOR_PAGES[collection]
        if kept := [index for index in models if without not in (_name(collection, index), NONE)]:
            db[collection].create_indexes(kept)
    pipeline = stack.enter_context(years.pipeline(db, config))
    pipeline.handle(years.items(config, [Write(clock.now(), Source.PLANS, plan) for plan in db.plans.find()]))
    return Contender(pipeline, config, [])


def _name(collection: str, index: IndexModel) -> str:
    return f"{collection}.{index.document['name']}"


def _commit(server: Server, contender: Contender, number: int) -> None:
    items = years.items(contender.config, list(_sales(number)), 10 + 2 * SOLD * number)
    began, cpu = time.perf_counter(), server.cpu_seconds()
    contender.pipeline.handle(items)
    took, worked = time.perf_counter() - began, server.cpu_seconds() - cpu
    contender.took.append({"milliseconds": 1000 * took, "server_cpu_milliseconds": 1000 * worked})


def _sales(number: int) -> Iterator[Write]:
    now = clock.now()
    for one in range(SOLD * number, SOLD * (number + 1)):
        yield Write(now, Source.CUSTOMERS, shop.customer(one))
        yield Write(now, Source.LICENSES, shop.license(one))


def _row(found: dict[str, list[Sample]], without: str) -> Row:
    """Compare lowest deciles, which vary least on a busy machine, and the mean CPU time of the server."""
    text = "; ".join(
        f"{name} {100 * (found_with / found_without - 1):+.1f}% ({found_without:.1f} to {found_with:.1f} ms)"
        for name, found_with, found_without in (
            ("elapsed", _decile(found[ALL]), _decile(found[without])),
            ("server CPU", _cpu(found[ALL]), _cpu(found[without])),
        )
    )
    index = "the indexes of the pages" if without == NONE else f"the index `{without}`"
    what = f"commit of {SOLD} new customers, each with a license: what {index} adds"
    return Row(what, "-", text, None)


def _decile(took: list[Sample]) -> float:
    return statistics.quantiles((one["milliseconds"] for one in took), n=10)[0]


def _cpu(took: list[Sample]) -> float:
    return statistics.mean(one["server_cpu_milliseconds"] for one in took)
