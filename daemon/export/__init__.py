"""Exports: rows, events and movements as CSV, XLSX or Parquet, as a stream of bytes in constant memory.

Whoever wants one (the command line, the HTTP server) makes an `Export` and passes on its `chunks`. Texts are other
people's: a cell that a spreadsheet would take for a formula is defused, numbers stay numbers.

    export = Export(database, "rows", first, last, settings.zone)
    StreamingResponse(export.chunks("xlsx"), media_type=MEDIA_TYPES["xlsx"])
"""

from daemon.export.export import FORMATS, MEDIA_TYPES, STYLES, Export

__all__ = ["FORMATS", "MEDIA_TYPES", "STYLES", "Export"]
