"""Read the photographs of a source one by one: files, zips, datasets, and anything that fsspec reaches.

* `items`: a photograph that has not been read yet, and a source of many
* `files`: folders, patterns and zips of this machine
* `tables`: parquet files, with the configurations, splits and labels of a dataset
* `annotations`: boxes from files of COCO and YOLO
* `opening`: which of these a text names, including ``s3://``, ``gs://``, ``hf://`` and other addresses,
  and dataset repos of the chosen Hub
"""
