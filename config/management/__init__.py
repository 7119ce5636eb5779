"""Commands that concern the whole program."""
