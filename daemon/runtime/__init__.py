"""The process around the work: logging, metrics, health, thread supervision, systemd."""
