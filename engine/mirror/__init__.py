"""A run, live or over, followed from its directory into TensorBoard, MLflow, W&B or Trackio. No torch."""
