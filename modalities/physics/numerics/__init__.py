"""The mathematics that primitives, phantoms and methods share: shifts, shears, shadows, weights."""
