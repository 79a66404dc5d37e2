"""`make bench`: how fast and how light the daemon is, as ratios measured in one interleaved run. Asserts no time."""
