"""Geometry of the charts: values in, places in a box out. `templates/charts.html` draws them."""
