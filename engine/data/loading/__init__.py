"""From rows to batches on the device, in an order that can be replayed."""
