"""Fluent Bit's configuration language: read it, print it, convert it, know what it means. Pure: no files, no network."""
