"""The embedded stack: PostgreSQL and every process of the product below one supervisor."""
