"""The pose node: images in, poses out."""
