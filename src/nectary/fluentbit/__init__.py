"""Fluent Bit's configuration language, as a pure library: useful with no server at all."""
