"""What the kernel offers to hold a process that others may control; what is held is said elsewhere.

The reader of files (``leaderboards.intake``) and the sandbox of programs (``leaderboards.sandbox``)
use it, each with a policy of its own. Their children run by path and add this folder to theirs.
"""
