"""SQL of campaigns: what is asked and written, by the page."""
