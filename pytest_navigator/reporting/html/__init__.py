"""`--nav-report`: one HTML file without a script, from what a run or packages have recorded."""
