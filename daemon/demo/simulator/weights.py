"""Weights of random operations, by the names in `dashboard.OPERATIONS`."""

WEIGHTS: dict[str, int] = {
    "create_customer": 16,
    "add_customer": 6,
    "create_license": 17,
    "add_license": 7,
    "change_plan": 13,
    "api_calls": 10,
    "cancel": 5,
    "suspend": 4,
    "reactivate": 5,
    "renew": 5,
    "let_expire": 3,
    "expire": 2,
    "insert_manual_license": 2,
    "rename_customer": 2,
    "move_domain": 2,
    "replace_license": 1,
    "delete_license": 1,
}
"""A busy shop: operations of customers and the API."""

PAYING_WEIGHTS: dict[str, int] = WEIGHTS | {"settle_payment": 4, "refund": 2}
"""For a shop that `pays`: also later changes of payments."""

ALL_WEIGHTS: dict[str, int] = WEIGHTS | {
    "delete_customer": 1,
    "reprice": 1,
    "edit_limits": 1,
    "pay": 6,
    "settle_payment": 1,
    "save_today": 1,
    "edit_note": 1,
}
"""Also operations of administrators and payments: for the soak test."""
