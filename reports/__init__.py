"""Reads profiles and says what they mean: tables, plots and pages. Never measures, never loads torch."""
