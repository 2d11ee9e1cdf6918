"""The data sets that come by name."""
