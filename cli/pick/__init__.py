"""The command `memo pick`: the likeliest next things, one key away."""
