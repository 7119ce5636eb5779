"""`make chaos`: what is killed in the middle loses nothing. Built on the stack and the ledger of the bench."""
