"""The pure halves of the agents: domain in, domain out. No Faust, no clock, no network."""
