"""Recurrent cells, their cost, and implementations of one step. Knows arrays; no clock, no file, no plot."""
