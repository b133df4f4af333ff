"""What people ask of outcomes: verdicts, the best runner, what a choice keeps."""
