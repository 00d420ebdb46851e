"""The loop of gradient descent, its steps, and what ends it."""
