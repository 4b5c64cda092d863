"""scikit-learn estimators around the nets of the frame."""
