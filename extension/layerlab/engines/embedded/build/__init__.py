"""A Dockerfile carried out: each instruction done, or found in the cache."""
