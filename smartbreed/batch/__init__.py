"""Many photos at once: a source in, one typed table of answers out. See docs/batch.md.

* `rows`: the columns, and the rows of one answer
* `worker`: bytes of a photo → its rows, crops and thumbnails
* `local`, `on_ray`: workers on the cores of this machine, or of several
* `parts`: what is done stays done; the parts become one file at the end
* `run`: all of it
* `report`: a page about a finished run
* `watch`: a folder that photos arrive in
"""
