"""Train, calibrate, export and evaluate the networks that ``smartbreed`` serves.

The only home of Keras and tensorflow. Networks and training steps are
backend-neutral Keras 3; only `training.export.litert` needs tensorflow itself.
"""
