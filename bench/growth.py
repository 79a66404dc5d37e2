"""A backlog with a million licenses and a million events, against ten thousand of each.

The two shops are databases of one server. They keep what earlier rounds wrote: to restore a million would take longer.
"""

import statistics
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count

from bench import feed, shop
from bench.measures import Bench, Row, Sample, median, print_line, run_rounds, with_server
from bench.server import DATABASE, Server
from bench.subject import Subject, timestamp_of
from daemon.mongo.collections import CHECKPOINT
from daemon.store.checkpoint import CHECKPOINT_ID

MANY, FEW = 1_000_000, 10_000
PER_CUSTOMER = 5
CHANGES = 40_000


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop with a daemon's data; each backlog continues after the last one."""

    server: Server
    licenses: int
    changes: int
    plans: dict[int, int] = field(default_factory=dict)
    numbers: count = field(default_factory=count)  # type: ignore[type-arg]  # generic only for type checkers

    def open(self) -> None:
        shop.open_shop(self.server.db)
        shop.fill(self.server.db, self.licenses, PER_CUSTOMER)
        with Subject(self.server.uri, MONGODB_DATABASE=self.server.database) as subject:
            subject.wait_for("gap.closed", 1800)
            subject.wait_for("daemon.ready")
        newest = datetime.now(UTC)  # noqa: TID251 - the API uses the system clock
        for chunk in feed.chunks(self.licenses, newest, self.licenses // PER_CUSTOMER):
            self.server.db.business_events.insert_many(chunk, ordered=False)
        print_line(f"  {self.licenses:,} licenses, {self.licenses:,} events")

    def backlog(self) -> Sample:
        """Measure the daemon from the acquired lease to the commit of the last change."""
        stock = self.licenses + next(self.numbers) * self.changes // 4
        self._skip_to_now()
        shop.Backlog(stock, self.changes, plans=self.plans).write(self.server.db)
        return with_server(self.server, self._follow)

    def _skip_to_now(self) -> None:
        """Set the checkpoint to the server's current time, so that no run reads what another shop wrote."""
        now = {"token": None, "cluster_time": self.server.now(), "position": ""}
        self.server.db[CHECKPOINT].update_one({"_id": CHECKPOINT_ID}, {"$set": now})

    def _follow(self) -> Sample:
        with Subject(self.server.uri, MONGODB_DATABASE=self.server.database) as subject:
            began, cpu = timestamp_of(subject.wait_for("lease.taken")), subject.cpu_seconds()
            ended = timestamp_of(subject.wait_for_changes(self.changes, 1800))
            return {"seconds": ended - began, "cpu_seconds": subject.cpu_seconds() - cpu}


def rows(bench: Bench) -> list[Row]:
    many, few = bench.scaled(MANY, feed.CHUNK), FEW
    changes = bench.scaled(CHANGES)
    shops = {
        f"{licenses:,}": Shop(replace(bench.server, database=f"{DATABASE}_{licenses}"), licenses, changes)
        for licenses in (few, many)
    }
    for one in shops.values():
        one.open()
    small, large = shops
    samples = run_rounds(bench, {name: one.backlog for name, one in shops.items()})
    return [_speed(changes, small, large, samples)]


def _speed(changes: int, small: str, large: str, samples: dict[str, list[Sample]]) -> Row:
    few, many = (changes / median(samples[name], "seconds") for name in (small, large))
    rounds = [one["seconds"] / two["seconds"] for one, two in zip(samples[small], samples[large], strict=True)]
    server = median(samples[large], "server_cpu_seconds") / median(samples[small], "server_cpu_seconds")
    what = f"{changes:,} changes waiting: speed with {large} licenses and events against {small} of each"
    found = (
        f"{statistics.median(rounds):.2f} (rounds {', '.join(f'{ratio:.2f}' for ratio in rounds)}; {many:,.0f} changes "
    )
    found += f"per second against {few:,.0f}; CPU time of the server {server:.2f})"
    return Row(what, "at least 0.8", found, statistics.median(rounds) >= 0.8, samples)
