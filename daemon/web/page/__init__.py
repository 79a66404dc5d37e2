"""The HTML page: routes, view model, charts, texts, templates and static files."""
