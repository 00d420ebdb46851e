"""Pictures of descents and of searches, by the conventions of scikit-learn's displays.

matplotlib is imported where something is drawn, and nowhere else.
"""
