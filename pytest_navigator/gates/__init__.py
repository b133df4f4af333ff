"""What judges a run beside its tolerances: a baseline, an expected file, budgets (pure: records -> verdicts)."""
