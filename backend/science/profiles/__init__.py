"""What the columns of stored tables hold, alone, together and from version to version."""
