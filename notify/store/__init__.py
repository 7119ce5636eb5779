"""All SQL of the pipeline: one file per part of the way, one function per question."""
