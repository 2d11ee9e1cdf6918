"""What a session says: events and rows into the record, the status, and numbers read back from the device."""
