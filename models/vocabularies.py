"""Vocabularies of layers that look up words: what they learned by `adapt` is in no config."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def with_vocabularies(model: keras.Model) -> Iterator[None]:
    """While it lasts, the configs of a Keras model's layers hold their vocabularies, whether from
    `adapt` or from a file: a layer that is made of them looks up what the first one does."""
    lookups = _lookups(model)
    before = [(each.input_vocabulary, each.input_idf_weights) for each in lookups]
    try:
        for lookup in lookups:
            _note_vocabulary(lookup)
        yield
    finally:
        for lookup, (vocabulary, weights) in zip(lookups, before, strict=True):
            lookup.input_vocabulary, lookup.input_idf_weights = vocabulary, weights


def _lookups(model):
    """The layers of a model that look up words, whose configs say nothing of which."""
    layers = model._flatten_layers(include_self=False)
    layers = [getattr(each, "_lookup_layer", each) for each in layers]  # of TextVectorization
    found = {id(each): each for each in layers if hasattr(each, "input_vocabulary")}
    return [each for each in found.values() if isinstance(each.input_vocabulary, (str, type(None)))]


def _note_vocabulary(lookup):
    words = lookup.get_vocabulary(include_special_tokens=False)
    if not words:
        return
    lookup.input_vocabulary = words
    if lookup.output_mode == "tf_idf":
        # In front are those of the special tokens, behind may be zeros.
        front = len(lookup.get_vocabulary()) - len(words)
        weights = keras.ops.convert_to_numpy(lookup.idf_weights_const)
        lookup.input_idf_weights = weights[front : front + len(words)].tolist()
