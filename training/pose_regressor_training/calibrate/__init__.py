"""What a network's scores and covariances are worth on synthetic images."""
