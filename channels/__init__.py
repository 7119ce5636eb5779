"""HOW one message reaches the outside world: messages, providers, limits. Knows no notification and no campaign."""
