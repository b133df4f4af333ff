"""Whether two runs give the same numbers: distances, rules, verdicts."""
