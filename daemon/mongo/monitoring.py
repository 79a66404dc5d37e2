"""Listens to the driver: counts the commands, and hears how far the server is. Every answer tells its cluster time."""

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from daemon.runtime import metrics


class CommandMonitor(CommandListener):
    """One for all clients of the process. `cluster_seconds` is the newest cluster time heard, 0 before the first."""

    def __init__(self) -> None:
        self.cluster_seconds = 0

    def started(self, event: CommandStartedEvent) -> None:
        """Nothing is known yet."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        metrics.COMMANDS.labels(event.command_name).inc()
        told = event.reply.get("$clusterTime")
        if told and told["clusterTime"].time > self.cluster_seconds:
            self.cluster_seconds = told["clusterTime"].time
            metrics.CLUSTER.set(self.cluster_seconds)

    def failed(self, event: CommandFailedEvent) -> None:
        metrics.COMMAND_FAILURES.labels(event.command_name).inc()


COMMAND_MONITOR = CommandMonitor()
