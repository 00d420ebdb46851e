"""From what a user passes to rows that a descent reads."""
