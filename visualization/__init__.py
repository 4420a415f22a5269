"""Tables, figures and animations of finished numbers; without TensorFlow or Keras models."""
