"""`make demo`: the main job on sample people, watched from the outside through the REST API."""
