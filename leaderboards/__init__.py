"""WHO did how well: methods, entries, submissions, scores, boards."""
