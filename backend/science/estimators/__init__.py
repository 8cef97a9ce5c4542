"""One file per estimator, each with one SPEC."""
