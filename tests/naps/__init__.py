"""A kind of job for tests alone: it computes for a while, costs a credit, and gives one result."""
