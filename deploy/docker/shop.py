"""Simulated dashboard on the MongoDB of compose.yml (--profile demo): three weeks of history, then a step every 2 s."""

import os
import random
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from daemon import clock
from daemon.demo.simulator import Dashboard


def main() -> None:
    password = Path("/run/secrets/mongodb-root-password").read_text().strip()
    client: MongoClient[dict[str, Any]]
    with MongoClient("127.0.0.1:27017", username="root", password=password, directConnection=True) as client:
        database = client[os.environ["MONGODB_DATABASE"]]
        dashboard = Dashboard(database, random.Random())  # noqa: S311 - chance, not secrets
        today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        if database.plans.find_one() is None:
            began = today - timedelta(days=21)
            dashboard.set_up(began)
            dashboard.create_history(began, today)
        while True:
            dashboard.step(clock.now())
            dashboard.touch(20, clock.now())
            time.sleep(2)


if __name__ == "__main__":
    main()
