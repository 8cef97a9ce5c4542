"""How columns become features: what is done with each, and the scikit-learn parts that do it."""
