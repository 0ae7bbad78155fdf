"""One module for each stage: landing, conditioning, training, scoring, monitoring, automation."""
