"""What a build will reuse and why: Dockerfile, context, keys. Pure but for reading files."""
