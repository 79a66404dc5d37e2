"""Listener of the driver: counts commands and reads the cluster time that every server reply carries."""

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from daemon.runtime import metrics
from daemon.runtime.health import Health, Instant


class CommandMonitor(CommandListener):
    """Counts the commands of one client and records the newest cluster time."""

    def __init__(self, health: Health) -> None:
        self.health = health

    def started(self, event: CommandStartedEvent) -> None:
        """Do nothing: only replies are counted."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        metrics.COMMANDS.labels(event.command_name).inc()
        cluster_time = event.reply.get("$clusterTime")
        if cluster_time and cluster_time["clusterTime"].time > self.health.at(Instant.CLUSTER):
            self.health.record(Instant.CLUSTER, cluster_time["clusterTime"].time)

    def failed(self, event: CommandFailedEvent) -> None:
        metrics.COMMAND_FAILURES.labels(event.command_name).inc()
