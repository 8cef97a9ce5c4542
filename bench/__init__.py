"""Figures of the running product; not a test, so nothing fails on a slow machine."""
