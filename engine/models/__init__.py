"""Building, inspecting and fine-tuning models."""
