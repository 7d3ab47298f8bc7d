"""The commands of `neuralmd`, one file each; heavy imports happen inside them."""
