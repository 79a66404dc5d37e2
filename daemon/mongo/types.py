"""The driver's types under the names that the daemon uses."""

from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from bson.timestamp import Timestamp
from pymongo import database
from pymongo.client_session import ClientSession

Document = dict[str, Any]
ReadOnlyDocument = Mapping[str, Any]
Database = database.Database[Document]

__all__ = ["ClientSession", "Database", "Document", "ObjectId", "ReadOnlyDocument", "Timestamp"]
