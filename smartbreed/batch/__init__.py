"""Batch runs over many photos: a source in, one typed table of answers out. See docs/batch.md.

* `rows`: the columns, and the rows of one answer
* `worker`: from the bytes of a photo to its rows, crops and thumbnails
* `local`, `on_ray`: workers on the cores of this machine, or of a Ray cluster
* `parts`: the saved progress of a run, which is merged into one file at the end
* `run`: a whole run, from source to output
* `report`: a page about a finished run
* `watch`: photos that arrive in a folder
"""
