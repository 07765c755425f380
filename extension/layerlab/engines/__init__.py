"""The tools that really build. The only part that starts processes or talks to daemons."""
