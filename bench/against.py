"""`make bench AGAINST=commit`: the daemon of two checkouts in alternation, so that one run judges a change."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench import burst, latency, state
from bench.backlog import Backlog
from bench.checkout import Checkout
from bench.measures import Bench, Row, Sample, print_line, run_rounds
from bench.server import DATABASE

Checkouts = tuple[Checkout, Checkout]
"""This checkout and the one to compare with."""


def backlog(bench: Bench, checkouts: Checkouts) -> list[Row]:
    both = [Backlog(bench, checkout) for checkout in checkouts]
    samples = run_rounds(bench, {one.checkout.name: one.daemon for one in both})
    measures = ("seconds", "cpu_seconds", "server_cpu_seconds", "peak_megabytes")
    return compared(f"{both[0].changes:,} changes waiting", checkouts, samples, measures)


def delay(bench: Bench, checkouts: Checkouts) -> list[Row]:
    """Let both daemons follow a database of their own on one server; changes alternate between the two."""
    servers = [replace(bench.server, database=f"{DATABASE}_{number}") for number in range(2)]
    begun = [state.bootstrapped(server, latency.STOCK, one) for server, one in zip(servers, checkouts, strict=True)]
    samples: dict[str, list[Sample]] = {one.name: [] for one in checkouts}
    for number in range(bench.repetitions):
        for server, saved in zip(servers, begun, strict=True):
            saved.restore(server)
        with latency.following(servers[0], checkouts[0]) as own, latency.following(servers[1], checkouts[1]) as other:
            delays = latency.alternate((own, other), latency.writes_of(bench))
        for one, measured in zip(checkouts, delays, strict=True):
            samples[one.name].append(latency.percentiles(measured))
            print_line(f"  round {number + 1} of {bench.repetitions}, {one.name}: {samples[one.name][-1]}")
    return compared("delay of a readable event, ms", checkouts, samples, ("p50", "p99"))


def memory(bench: Bench, checkouts: Checkouts) -> list[Row]:
    works = {one.name: burst.contender(bench, one) for one in checkouts}
    return compared("burst", checkouts, run_rounds(bench, works), ("idle_megabytes", "peak_megabytes"))


GROUPS: dict[str, Callable[[Bench, Checkouts], list[Row]]] = {"backlog": backlog, "latency": delay, "burst": memory}


def compared(what: str, checkouts: Checkouts, samples: dict[str, list[Sample]], measures: Sequence[str]) -> list[Row]:
    """Return one row per measure: the median of the ratios of the rounds, and the ratio of each round.

    A ratio below 1 means that this checkout needs less.
    """
    own, other = (samples[checkout.name] for checkout in checkouts)
    return [_row(what, measure, checkouts[1].name, own, other, samples) for measure in measures]


def _row(
    what: str, measure: str, name: str, own: list[Sample], other: list[Sample], samples: dict[str, list[Sample]]
) -> Row:
    ratios = [one[measure] / two[measure] for one, two in zip(own, other, strict=True)]
    medians = (statistics.median(sample[measure] for sample in side) for side in (own, other))
    found = f"{statistics.median(ratios):.2f} (rounds {', '.join(f'{ratio:.2f}' for ratio in ratios)}; "
    found += "{:.4g} against {:.4g})".format(*medians)
    return Row(f"{what}: {measure} against {name}", "-", found, None, samples)
