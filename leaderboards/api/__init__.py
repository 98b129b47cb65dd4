"""The leaderboards in the API: boards, methods, submissions."""
