"""The web server and the proxy against clients that are slow, large or many."""
