"""How a task reaches people outside the console: one file a channel."""
