"""What everything rests on, and what knows of nothing else."""
