"""Vocabularies of lookup layers: those from `adapt` are not in a layer's config."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def with_vocabularies(model: keras.Model) -> Iterator[None]:
    """Within the block, the configs of a Keras model's layers hold their vocabularies, from `adapt`
    or from a file, so that a layer made from a config looks up the same words."""
    lookups = _lookups(model)
    before = [(each.input_vocabulary, each.input_idf_weights) for each in lookups]
    try:
        for lookup in lookups:
            _put_into_config(lookup)
        yield
    finally:
        for lookup, (vocabulary, weights) in zip(lookups, before, strict=True):
            lookup.input_vocabulary, lookup.input_idf_weights = vocabulary, weights


def _lookups(model):
    """The lookup layers of a model whose configs lack a vocabulary."""
    layers = model._flatten_layers(include_self=False)
    layers = [getattr(each, "_lookup_layer", each) for each in layers]  # of TextVectorization
    found = {id(each): each for each in layers if hasattr(each, "input_vocabulary")}
    return [each for each in found.values() if isinstance(each.input_vocabulary, (str, type(None)))]


def _put_into_config(lookup):
    words = lookup.get_vocabulary(include_special_tokens=False)
    if not words:
        return
    lookup.input_vocabulary = words
    if lookup.output_mode == "tf_idf":
        # Weights of special tokens come first; zeros may follow.
        front = len(lookup.get_vocabulary()) - len(words)
        weights = keras.ops.convert_to_numpy(lookup.idf_weights_const)
        lookup.input_idf_weights = weights[front : front + len(words)].tolist()
