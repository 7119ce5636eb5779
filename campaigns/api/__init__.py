"""The API of campaigns, segments and fan-outs."""
