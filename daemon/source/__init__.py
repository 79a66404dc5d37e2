"""The reading side: the change stream and the scan of the source collections. Nothing here writes."""
