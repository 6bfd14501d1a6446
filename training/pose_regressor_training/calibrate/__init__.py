"""What a network's scores, covariances and distances are worth, measured on synthetic frames by the runtime itself."""
