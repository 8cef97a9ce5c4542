"""Coefficients of linear fits with what is known about them: errors, tests, doubts."""
