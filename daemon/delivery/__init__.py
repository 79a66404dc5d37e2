"""Delivery of facts to systems and people: a worker per target, its schedule and position; `channels` sends."""
