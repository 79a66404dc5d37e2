"""Health: which component is stalled, and when the daemon is ready."""

from daemon.runtime.health import Health


def test_health_names_the_stalled_component_and_only_a_leader_needs_the_stream() -> None:
    health = Health()
    health.set_role("leader", 0)
    health.heartbeat("scheduler", 0)
    assert health.stalled(29) == []

    assert [problem.split()[0] for problem in health.stalled(50)] == ["scheduler", "stream"]
    health.set_role("standby", 50)
    health.heartbeat("scheduler", 50)
    assert health.not_ready(60) == []
    health.set_role("reconciling", 60, "history_lost")
    assert health.not_ready(61) == ["reconciling: history_lost"]
