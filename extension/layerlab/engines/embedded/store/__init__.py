"""Layers and images on disk, and what they hold without being unpacked."""
