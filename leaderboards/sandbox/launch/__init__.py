"""What runs by path, with the standard library alone, to start programs and to end them."""
