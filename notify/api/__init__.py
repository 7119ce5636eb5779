"""The pipeline's face to other systems: HTTP in, problem+json or JSON out."""
