"""THE pipeline: accept, plan, render, dispatch, record."""
