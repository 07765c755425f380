"""The embedded engine: real image builds with no daemon and no root.

Layers are uncompressed tar archives in an OCI image layout, each with an index of its entries
beside it. So any state of an image can be looked at without unpacking it, and only a RUN needs
files on disk.
"""
