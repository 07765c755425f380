"""Turning what a CLI prints into events. Pure: bytes in, events out."""
