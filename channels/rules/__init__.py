"""Pure functions: no Django, no network, no clock."""
