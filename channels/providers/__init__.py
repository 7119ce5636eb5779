"""One adapter each; nobody imports them, the registry loads them by name."""
