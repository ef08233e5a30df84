"""What a learner has done, kept on their own disk and nowhere else."""
