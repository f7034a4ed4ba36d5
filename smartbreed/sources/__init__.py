"""Photographs of a source, one after the other: files, zips, datasets, and what fsspec reaches.

* `items`: one photograph that is not read yet
* `files`: folders and patterns of this machine
* `remote`: ``s3://``, ``gs://``, ``hf://`` and other addresses, and dataset repos of the chosen Hub
* `tables`: parquet, with the configurations, splits and labels of a dataset
* `annotations`: boxes of COCO's and YOLO's files
* `opening`: which of these a text stands for
"""
