"""Speed of models and of all-atom MD, measured in turn on one machine."""
