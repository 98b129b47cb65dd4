"""What gives scores: run by workers, which have the truth, and loaded by nobody else.

``compute`` does one attempt of any kind; the modules beside it know one kind each.
"""
