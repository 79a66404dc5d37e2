"""Milestones, growth, trends, calendar dates and summaries."""
