"""Looking for good parameters inside the training rows."""
