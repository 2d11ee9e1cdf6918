"""The first screen: presets and runs."""
