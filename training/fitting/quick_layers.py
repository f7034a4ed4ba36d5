"""Layers that compute what Keras' do, but train faster on a CPU with tensorflow."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@tf.custom_gradient  # type: ignore[untyped-decorator]
def depthwise(x: Any, kernel: Any) -> tuple[Any, Any]:
    """Depthwise convolution of stride 1 and padding "same" whose gradients are depthwise convolutions too.

    Args:
        x: ``(n, h, w, c)``; all sizes but ``n`` must be static.
        kernel: ``(k, k, c, 1)``, ``k`` odd.
    """

    def gradient(g: Any) -> tuple[Any, Any]:
        side, (height, width, channels) = kernel.shape[0], x.shape[1:]
        pad, count = side // 2, tf.shape(x)[0]
        # Treat all channels of all pictures as channels of one picture; its kernel is the incoming gradient.
        padded = tf.transpose(tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]]), [1, 2, 0, 3])
        padded = tf.reshape(padded, [1, height + 2 * pad, width + 2 * pad, -1])
        incoming = tf.reshape(tf.transpose(g, [1, 2, 0, 3]), [height, width, -1, 1])
        of_kernel = tf.nn.depthwise_conv2d(padded, incoming, [1, 1, 1, 1], "VALID")
        of_kernel = tf.reduce_sum(tf.reshape(of_kernel, [side, side, count, channels]), 2)
        return _same(g, tf.reverse(kernel, [0, 1])), of_kernel[..., None]

    return _same(x, kernel), gradient


def _same(x: Any, kernel: Any) -> Any:
    return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")


@tf.custom_gradient  # type: ignore[untyped-decorator]
def pointwise(x: Any, kernel: Any) -> tuple[Any, Any]:
    """Compute ``x @ kernel`` over the last axis in bfloat16; the result and its gradients are float32."""
    shape = tf.shape(x)
    half = tf.cast(tf.reshape(x, [-1, x.shape[-1]]), tf.bfloat16)
    weights = tf.cast(kernel, tf.bfloat16)
    y = tf.reshape(tf.cast(half @ weights, tf.float32), tf.concat([shape[:-1], [kernel.shape[-1]]], 0))

    def gradient(g: Any) -> tuple[Any, Any]:
        incoming = tf.cast(tf.reshape(g, [-1, kernel.shape[-1]]), tf.bfloat16)
        of_x = tf.reshape(tf.cast(tf.matmul(incoming, weights, transpose_b=True), tf.float32), shape)
        return of_x, tf.cast(tf.matmul(half, incoming, transpose_a=True), tf.float32)

    return y, gradient


class QuickDepthwise(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
    """A depthwise convolution of stride 1 with a bias, by `depthwise`."""

    def call(self, inputs: Any) -> Any:
        return self.activation(depthwise(inputs, tf.convert_to_tensor(self.kernel)) + self.bias)


class QuickPointwise(keras.layers.Conv2D):  # type: ignore[misc]
    """A 1 x 1 convolution with a bias, by `pointwise`."""

    def call(self, inputs: Any) -> Any:
        return self.activation(pointwise(inputs, tf.convert_to_tensor(self.kernel)[0, 0]) + self.bias)
