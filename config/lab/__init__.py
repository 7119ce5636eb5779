"""Stand-ins of providers on loopback, for tests, the demo, the bench, and people without accounts."""
