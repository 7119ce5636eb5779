"""How much of everything a load needs: arithmetic on what the bench measured. docs/capacity.md is written by it."""
