"""The live stream of inboxes: server-sent events, hundreds of listeners in one process."""
