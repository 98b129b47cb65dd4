"""WHAT IT LOOKS LIKE: scenes computed in the background, their pictures and charts."""
