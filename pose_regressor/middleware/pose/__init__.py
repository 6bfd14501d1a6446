"""The pose node: images in, poses out. The middlewares bring its ends."""
