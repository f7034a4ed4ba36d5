"""Train, calibrate, export and evaluate the networks that ``smartbreed`` serves.

Only this package imports Keras and tensorflow. Networks and training steps are
backend-neutral Keras 3; only `training.export.litert` needs tensorflow itself.
"""
