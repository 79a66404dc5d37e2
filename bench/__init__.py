"""`make bench`: speed and resource usage of the daemon, as ratios measured in interleaved rounds. Asserts no time."""
