"""What `haechi bench` runs: figures as ratios within one run."""
