"""HTTP interface of recipients, their preferences and devices."""
