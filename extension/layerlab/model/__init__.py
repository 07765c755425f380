"""The pure heart: what a build is, as data. No I/O, no clock, no environment."""
