"""Unpacking what strangers send as a container archive.

An archive is a tar of tars: names that climb out of their folder, links to write through, bombs.
So nothing of it is read in the worker: ``archive.unpack`` starts a child (``child.py``) that takes
an open file and an open folder, gives up every right but that of writing below that folder
(``confine.py``), finds the one image in the archive (``layout.py``), and writes its layers
(``streams.py``, ``members.py``) as a root file system (``root.py``).

Only the standard library, and only names relative to this package: the child has no other path.
Sources: OCI Image Format Specification 1.1.0 (image-layout, manifest, config, layer); Docker Image
Specification 1.3 for what ``docker save`` writes; POSIX.1-2017, pax, for tar.
"""
