"""Measured data that packages ship, calibrated blind: nobody knows the truth of them."""
