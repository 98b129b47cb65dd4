"""Reading what strangers upload.

An upload is hostile until proven otherwise. HDF5 itself can read other files (external links,
external storage, virtual datasets), give back freed memory (a chunk that inflates short) and turn
two megabytes into gigabytes. So no upload is ever opened in the web or the worker process:
``reader.read_submission`` starts a child (``child.py``) that loads its libraries, takes the bytes,
gives up every right that the kernel lets it give up (``lockdown.py``), and only then parses them
(``parse.py``). What comes back is a list of problems, or float32 or complex64 bytes of a
length known in advance and checked numbers.
"""
