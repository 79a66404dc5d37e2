"""Exports: rows, events and movements as CSV, XLSX or Parquet, as a stream of bytes in constant memory.

CLI and HTTP server create an `Export` and send its `chunks`. Texts are untrusted: a cell that a spreadsheet would
evaluate as a formula is escaped, numbers stay numbers.

    export = Export(database, "rows", first, last, settings.zone)
    StreamingResponse(export.chunks("xlsx"), media_type=MEDIA_TYPES["xlsx"])
"""

from daemon.export.export import FORMATS, MEDIA_TYPES, STYLES, Export, chosen_columns

__all__ = ["FORMATS", "MEDIA_TYPES", "STYLES", "Export", "chosen_columns"]
