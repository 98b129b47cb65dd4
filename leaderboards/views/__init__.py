"""The pages of the leaderboards, one module for each kind."""
