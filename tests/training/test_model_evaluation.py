"""Any Keras model is as good here as Keras' own `evaluate` finds it."""

import keras
import numpy as np
import pytest
from keras import layers
from network_pruning.data.data_loaders.loader_utils import Split
from network_pruning.models import model as models
from network_pruning.training.model_evaluation import ModelEvaluator

ENDS = {
    "within a layer": [layers.Dense(3, "softmax")],
    "as an activation": [layers.Dense(3), layers.Activation("softmax")],
    "as a layer": [layers.Dense(3), layers.Softmax()],
    "before another layer": [layers.Dense(3, "softmax"), layers.Identity()],
    "none": [layers.Dense(3)],
}


@pytest.mark.parametrize("end", ENDS)
def test_the_cross_entropy_is_that_of_keras(end):
    """Also of answers that are wrong beyond doubt, whose probabilities are no more than 1e-7."""
    model = keras.Sequential([keras.Input((4,)), *ENDS[end]])
    models.compile_model(model, 0.001, from_logits=end == "none")
    generator = np.random.default_rng(0)
    model.set_weights([30 * generator.normal(size=variable.shape) for variable in model.weights])
    split = Split(
        generator.random((200, 4), np.float32), generator.integers(3, size=200).astype(np.int32)
    )
    metrics = ModelEvaluator(model, None)(split)
    loss, accuracy = model.evaluate(split.images, split.labels, batch_size=128, verbose=0)
    assert metrics.loss == metrics.cross_entropy == pytest.approx(loss, rel=1e-5)
    assert metrics.accuracy == pytest.approx(accuracy)
    assert loss > 17  # -ln(1e-7) is 16.1
